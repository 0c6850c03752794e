// Check-ins that have not reached the server: kept on the device, sent in order, shown until they have.
//
// Each entry has an id, so that a second sending is the same check-in, and the moment at which it was so.
// Entries belong to the person who made them: another person on the same device does not send them.
import { send } from "./csrf.js";
import { logInAgain } from "./login.js";

const RETRY_FIRST = 2000;
const RETRY_LONGEST = 30_000;

export class CheckInQueue extends EventTarget {
  #key;
  #line = null;
  #busy = false;
  #retry = null;
  #wait = RETRY_FIRST;

  /** Events: "change"; "sent" (detail: the entry with its `revision`). */
  constructor(person) {
    super();
    this.#key = `check-ins:${person}`;
    addEventListener("online", () => this.flush());
    addEventListener("storage", (event) => event.key === this.#key && this.#tell("change"));
    document.addEventListener("visibilitychange", () => document.hidden || this.flush());
  }

  /** Send over a live line while it is up. */
  over(line) {
    this.#line = line;
    line.addEventListener("line", () => line.live && this.flush());
  }

  get entries() {
    return JSON.parse(localStorage.getItem(this.#key) ?? "[]");
  }

  of(meeting, point) {
    return this.entries.filter((entry) => entry.meeting === meeting && entry.point === point);
  }

  add(entry) {
    const id = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
    this.#keep([...this.entries, { id, ...entry }]);
    this.flush();
  }

  drop(id) {
    this.#keep(this.entries.filter((entry) => entry.id !== id));
  }

  /** Sends what waits, one after the other, until one does not get through. */
  async flush() {
    if (this.#busy) return;
    this.#busy = true;
    clearTimeout(this.#retry);
    // Two pages of one device must not send the same entry at the same moment.
    const alone = navigator.locks ? (work) => navigator.locks.request(this.#key, work) : (work) => work();
    try {
      await alone(async () => {
        for (let next = this.#next(); next; next = this.#next()) {
          if (!(await this.#deliver(next))) {
            this.#retry = setTimeout(() => this.flush(), this.#wait);
            this.#wait = Math.min(RETRY_LONGEST, this.#wait * 2);
            return;
          }
          this.#wait = RETRY_FIRST;
        }
      });
    } finally {
      this.#busy = false;
    }
  }

  #next() {
    return this.entries.find((entry) => !entry.refused);
  }

  /** True where the server has answered, whatever it said. */
  async #deliver(entry) {
    try {
      const revision = await (this.#overTheLine(entry) ?? this.#posted(entry));
      this.drop(entry.id);
      this.#tell("sent", { ...entry, revision });
      return true;
    } catch (failure) {
      if (failure.unsent || failure.code === undefined || RETRIED.has(failure.code)) {
        this.#tell("change");
        return false;
      }
      this.#keep(this.entries.map((kept) => (kept.id === entry.id ? { ...kept, refused: failure.message } : kept)));
      return true;
    }
  }

  #overTheLine({ id, meeting, point, said, observed_at }) {
    if (!this.#line?.live || this.#line.meeting.id !== meeting) return null;
    return this.#line.checkIn({ id, point, ...said, observed_at });
  }

  async #posted({ meeting, point, said, observed_at }) {
    if (!navigator.onLine) throw Object.assign(new Error("offline"), { unsent: true });
    const body = new URLSearchParams({ ...withoutNothing(said), observed_at });
    const answer = await send(`/check-in/${meeting}/${point}`, { headers: { accept: "application/json" }, body });
    if (answer.ok) return (await answer.json()).revision;
    if (answer.status === 401 && (await logInAgain())) return this.#posted({ meeting, point, said, observed_at });
    if (answer.status === 401 || answer.status >= 500) throw Object.assign(new Error("unsent"), { unsent: true });
    const { code, detail } = await answer.json();
    throw Object.assign(new Error(detail), { code });
  }

  #keep(entries) {
    localStorage.setItem(this.#key, JSON.stringify(entries));
    this.#tell("change");
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

const RETRIED = new Set(["too_many_at_once", "server_stopping", "internal_error"]);

const withoutNothing = (fields) => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null && value !== undefined));
