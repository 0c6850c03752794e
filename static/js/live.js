// The live line of a meeting: one websocket that heals itself.
//
// `LiveMeeting` holds what snapshot and changes have said: `points` (id → {state, since, headcount}),
// `rollup` (unit code → {invited, present, late, lost, needs_help}), `levels` (the same by level),
// `meeting`, `revision`. It is stale from the moment the line is cut until the first frame after it; a
// stale line is never shown as live.
//
// Events: "line" (its condition has changed, see `line`), "snapshot", "changes" (detail: {points, rollup},
// the ids and codes that changed), "meeting".
//
// What else has changed in the meeting is told to the document, for whatever part of the page shows it:
// "live:notice" (detail: the frame, {kind, …}) at once, and "live:notice:<kind>" when that part should fetch
// what the notice is about: where thousands were told they do not all ask at once. "live:again" when
// notices may have been missed: all such parts fetch anew.

const FIRST_WAIT = 500;
const LONGEST_WAIT = 30_000;
/** All lines of a server end at the same moment; they come back over so long a time. */
const SPREAD = 10_000;
const HEARTBEAT = 25_000;
const PATIENCE = 10_000;
const ANSWER_WITHIN = 15_000;
const ALL_NOTICES = "everything";
const UNHEARD = 5_000;

const CUT = 1006;
const RESTARTING = 1012;
const TOO_MANY = 1013;
const LOGGED_OUT = 4401;
const DENIED = 4403;
const UNKNOWN = 4404;

/** Why something was not taken; `unsent`: it may be sent again, because nobody knows or it could not be kept now. */
export class NotTaken extends Error {
  constructor(code, detail = "", again = false) {
    super(detail || code);
    this.code = code;
    this.unsent = code === "unsent" || again;
  }
}

export class LiveMeeting extends EventTarget {
  points = new Map();
  rollup = new Map();
  levels = new Map();
  meeting = {};
  revision = 0;
  /** connecting | live | stale | logged_out | denied | unknown | closed */
  line = "connecting";
  /** When the last frame came, in ms of this device. */
  heardAt = null;

  #address;
  #socket = null;
  #holds = false;
  #failures = 0;
  #deafSince = performance.now();
  #retry = null;
  #watch = null;
  #silence = HEARTBEAT + PATIENCE;
  #waiting = new Map();
  /** What lets this line in again without questions; the server gives it, and it is worth nothing without the login. */
  #pass = null;

  /** `scope` is a unit's code; without one the widest that the person may see. `place`: a tablet has its own. */
  constructor(meetingId, scope = "", place = "/live/meetings/") {
    super();
    this.#address = new URL(`${place}${meetingId}`, location.href);
    this.#address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    if (scope) this.#address.searchParams.set("scope", scope);
    // Whoever else on the page waits for news need not ask for it oftener than the line tells.
    document.documentElement.dataset.liveLine = meetingId;
    addEventListener("offline", () => this.#cut());
    addEventListener("online", () => this.retryNow());
    // A page that comes back from the shelf of the browser has no socket any more.
    addEventListener("pageshow", (event) => event.persisted && this.retryNow());
    document.addEventListener("visibilitychange", () => {
      const silent = this.heardAt !== null && Date.now() - this.heardAt > this.#silence;
      if (document.hidden || !silent || !["live", "stale"].includes(this.line)) return;
      this.#cut();
      this.open();
    });
  }

  get live() {
    return this.line === "live";
  }

  open() {
    clearTimeout(this.#retry);
    if (!navigator.onLine) {
      this.#become("stale");
      return;
    }
    if (this.#holds) this.#address.searchParams.set("after", this.revision);
    else this.#address.searchParams.delete("after");
    if (this.#pass) this.#address.searchParams.set("pass", this.#pass);
    else this.#address.searchParams.delete("pass");
    const socket = new WebSocket(this.#address);
    this.#socket = socket;
    socket.addEventListener("open", () => this.#watchSilence());
    socket.addEventListener("message", (event) => this.#socket === socket && this.#hear(JSON.parse(event.data)));
    socket.addEventListener("error", () => this.#socket === socket && this.#become("stale"));
    socket.addEventListener("close", (event) => this.#socket === socket && this.#lost(event.code, event.reason));
    this.#watchSilence();
  }

  /** Try again at once: the network is back, or the person has logged in again. */
  retryNow() {
    if (this.line === "closed" || (this.live && this.#socket?.readyState === WebSocket.OPEN)) return;
    this.#drop();
    this.#failures = 0;
    this.open();
  }

  close() {
    this.#drop();
    clearTimeout(this.#retry);
    this.#become("closed");
  }

  /** Sends a check-in ({id, point, state, …}); resolves with its revision. Rejects with `NotTaken`. */
  async checkIn(entry) {
    const { revision } = await this.#ask("check_in", entry);
    return revision;
  }

  /** Receipts messages of the host ({id, point, shown, acknowledged}); resolves with {messages, at}. Rejects as above. */
  receipt(entry) {
    return this.#ask("receipt", entry);
  }

  #ask(type, entry) {
    if (!this.live) return Promise.reject(new NotTaken("unsent"));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#refuse(entry.id, new NotTaken("unsent")), ANSWER_WITHIN);
      this.#waiting.set(entry.id, { resolve, reject, timer });
      this.#socket.send(JSON.stringify({ type, ...entry }));
    });
  }

  #hear(frame) {
    this.heardAt = Date.now();
    this.#failures = 0;
    this.#watchSilence();
    switch (frame.type) {
      case "snapshot":
        this.#take(frame);
        break;
      case "changes":
        this.#apply(frame);
        break;
      case "meeting":
        this.meeting = frame.meeting ?? { ...this.meeting, ...frame };
        this.#tell("meeting", this.meeting);
        break;
      case "notice":
        this.#announceNotice(frame);
        return;
      case "pass":
        this.#pass = frame.pass;
        this.#expectWithin(frame.every);
        return;
      case "ack":
      case "receipted":
        this.#answer(frame.id)?.resolve(frame);
        return;
      case "error":
        this.#refuse(frame.id, new NotTaken(frame.code, frame.detail, frame.again));
        return;
      default:
        break;
    }
    // A change of the meeting itself is followed by a snapshot: only then has all of it been seen.
    if (frame.type === "heartbeat") {
      this.revision = Math.max(this.revision, frame.revision);
      this.#expectWithin(frame.every);
    }
    if (this.#holds) this.#become("live");
    // A page that has just been opened knows it all.
    if (this.#deafSince !== null && performance.now() - this.#deafSince > UNHEARD) announce("live:again");
    this.#deafSince = null;
  }

  #announceNotice(frame) {
    announce("live:notice", frame);
    const name = frame.kind === ALL_NOTICES ? "live:again" : `live:notice:${frame.kind}`;
    setTimeout(() => announce(name, frame), Math.random() * 1000 * (frame.wait ?? 0));
  }

  #take(frame) {
    this.meeting = frame.meeting;
    this.points = new Map(frame.points.map((row) => [row[0], point(row)]));
    this.rollup = new Map(frame.rollup.map((row) => [row[0], counts(row)]));
    this.levels = new Map(frame.levels.map((row) => [row[0], counts(row)]));
    this.revision = frame.revision;
    this.#holds = true;
    this.#tell("snapshot");
  }

  #apply(frame) {
    for (const row of frame.points) this.points.set(row[0], point(row));
    for (const row of frame.rollup) this.rollup.set(row[0], counts(row));
    for (const row of frame.levels) this.levels.set(row[0], counts(row));
    this.revision = frame.revision;
    this.#tell("changes", { points: frame.points.map((row) => row[0]), rollup: frame.rollup.map((row) => row[0]) });
  }

  #lost(code, reason) {
    this.#drop();
    if ([LOGGED_OUT, DENIED, UNKNOWN].includes(code)) this.#pass = null;
    if (code === LOGGED_OUT) return this.#become("logged_out");
    if (code === DENIED) return this.#become("denied");
    if (code === UNKNOWN) return this.#become("unknown");
    this.#become("stale");
    if (navigator.onLine) this.#retry = setTimeout(() => this.open(), this.#wait(code, reason));
    return undefined;
  }

  /** Milliseconds until the next attempt. Spread out, so that not all come back at once. */
  #wait(code, reason) {
    if (code === RESTARTING) return Math.random() * SPREAD;
    if (code === TOO_MANY) {
      const seconds = Number.parseFloat(reason);
      return (Number.isFinite(seconds) ? seconds : 10) * 1000 * (1 + Math.random() / 5);
    }
    const longest = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#failures);
    this.#failures += 1;
    // A line that was cut may be one of thousands: the server is gone, or what lies between.
    if (code === CUT) return Math.random() * Math.max(longest, SPREAD);
    return longest * (0.5 + Math.random() / 2);
  }

  #cut() {
    this.#drop();
    clearTimeout(this.#retry);
    this.#become("stale");
  }

  /** With very many lines heartbeats are rarer, and a server may tell a board that it just heard from it. */
  #expectWithin(seconds) {
    if (seconds) this.#silence = Math.max(HEARTBEAT, 1500 * seconds) + PATIENCE;
  }

  #watchSilence() {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => {
      this.#cut();
      this.#retry = setTimeout(() => this.open(), this.#wait());
    }, this.#silence);
  }

  #drop() {
    clearTimeout(this.#watch);
    this.#deafSince ??= -Infinity;
    const socket = this.#socket;
    this.#socket = null;
    if (socket && socket.readyState < WebSocket.CLOSING) socket.close();
    for (const id of [...this.#waiting.keys()]) this.#refuse(id, new NotTaken("unsent"));
  }

  #answer(id) {
    const waiting = this.#waiting.get(id);
    clearTimeout(waiting?.timer);
    this.#waiting.delete(id);
    return waiting;
  }

  #refuse(id, failure) {
    this.#answer(id)?.reject(failure);
  }

  #become(line) {
    if (this.line === line) return;
    this.line = line;
    this.#tell("line");
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

function announce(name, detail) {
  document.dispatchEvent(new CustomEvent(name, { detail }));
}

const point = ([, state, since, headcount]) => ({ state, since: since === null ? null : new Date(since), headcount });

const counts = ([, invited, present, late, lost, needs_help]) => ({ invited, present, late, lost, needs_help });
