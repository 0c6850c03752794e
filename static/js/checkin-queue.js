// Check-ins on their way to the server: kept on the device first (checkin-store.js), then sent in order,
// shown until they have arrived. The same entry is never sent by two pages at once, and where nobody
// knows whether it arrived it is sent again: the server knows it by the point and the moment.
import "./checkin-store.js";
import { serverNow, setServerNow } from "./clock.js";
import { csrfToken } from "./csrf.js";
import { logInAgain } from "./login.js";

const store = self.checkInStore;
const RETRY_FIRST = 2000;
const RETRY_LONGEST = 30_000;

export class CheckInQueue extends EventTarget {
  /** What waits of this owner, in order. */
  entries = [];
  /** Why nothing gets through at the moment: "", "offline", "login" or "another" (person). */
  held = "";

  #owner;
  #line = null;
  #busy = false;
  #again = false;
  #greeted = false;
  #declined = false;
  #retry = null;
  #wait = RETRY_FIRST;
  #others = new BroadcastChannel("check-ins");

  /** `owner`: "person:7" or "device:3". Events: "change"; "sent" (detail: the entry with its `revision`). */
  constructor(owner) {
    super();
    this.#owner = owner;
    addEventListener("online", () => this.flush());
    document.addEventListener("visibilitychange", () => document.hidden || this.flush());
    this.#others.addEventListener("message", async ({ data }) => {
      await this.#read();
      if (data?.sent?.owner === owner) this.#tell("sent", data.sent);
    });
    this.#begin();
  }

  /** Send over a live line while it is up. */
  over(line) {
    this.#line = line;
    line.addEventListener("line", () => line.live && this.flush());
  }

  of(meeting, point) {
    return this.entries.filter((entry) => entry.meeting === meeting && entry.point === point);
  }

  /** Keeps an entry ({to, meeting, point, said}) as of now and sends it. Throws where it cannot be kept. */
  async add(entry) {
    const id = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
    const observed_at = new Date(serverNow()).toISOString();
    await store.add({ id, owner: this.#owner, observed_at, refused: null, ...entry });
    this.#declined = false;
    await this.#changed();
    this.flush();
  }

  async drop(number) {
    await store.remove(number);
    await this.#changed();
  }

  /** Send once more what the server has refused. */
  async retry(number) {
    const entry = this.entries.find((one) => one.number === number);
    if (!entry) return;
    await store.put({ ...entry, refused: null });
    await this.#changed();
    this.flush();
  }

  async logIn() {
    this.#declined = false;
    await this.flush();
  }

  /** Sends what waits, one after the other, until one does not get through. */
  async flush() {
    this.#again = true;
    if (this.#busy) return;
    this.#busy = true;
    clearTimeout(this.#retry);
    try {
      while (this.#again) {
        this.#again = false;
        await store.alone(() => this.#sendAll());
      }
      this.#become("");
      this.#wait = RETRY_FIRST;
    } catch (failure) {
      if (!failure.unsent) throw failure;
      this.#greeted = false;
      this.#become(failure.unsent === "token" ? "offline" : failure.unsent);
      this.#retry = setTimeout(() => this.flush(), this.#wait);
      this.#wait = Math.min(RETRY_LONGEST, this.#wait * 2);
      askForSync();
    } finally {
      this.#busy = false;
    }
  }

  async #sendAll() {
    for (;;) {
      await this.#read();
      const next = this.entries.find((entry) => !entry.refused);
      if (!next) return;
      try {
        const revision = await this.#deliver(next);
        await store.remove(next.number);
        this.#others.postMessage({ sent: { ...next, revision } });
        await this.#read();
        this.#tell("sent", { ...next, revision });
      } catch (failure) {
        if (!failure.refused) throw failure;
        await store.put({ ...next, refused: failure.refused });
        await this.#changed();
      }
    }
  }

  async #deliver(entry) {
    if (!navigator.onLine) throw Object.assign(new Error("offline"), { unsent: "offline" });
    if (this.#line?.live && this.#line.meeting.id === entry.meeting && this.#greeted) return this.#overTheLine(entry);
    for (let turn = 0; ; turn += 1) {
      try {
        if (!this.#greeted) await this.#greet();
        return await store.post(entry, csrfToken());
      } catch (failure) {
        if (turn > 1 || !["token", "login"].includes(failure.unsent)) throw failure;
        this.#greeted = false;
        if (failure.unsent === "login" && !(await this.#loggedIn())) throw failure;
      }
    }
  }

  /** What waited may have been said before another login: first see who this is now. */
  async #greet() {
    const told = await store.hello(this.#owner);
    setServerNow(Date.parse(told.now));
    this.#greeted = true;
  }

  /** The login has ended: ask for it once, then leave it to the person. */
  async #loggedIn() {
    if (this.#declined || document.hidden || this.#owner.startsWith("device:")) return false;
    this.#declined = !(await logInAgain());
    return !this.#declined;
  }

  async #overTheLine({ id, point, said, observed_at }) {
    try {
      return await this.#line.checkIn({ id, point, ...said, observed_at });
    } catch (failure) {
      if (failure.unsent || failure.code === undefined) {
        throw Object.assign(failure, { unsent: "offline" });
      }
      throw Object.assign(failure, { refused: { code: failure.code, detail: failure.message } });
    }
  }

  async #begin() {
    await this.#takeOver();
    await this.#read();
    if (this.entries.some((entry) => !entry.refused)) this.flush();
    else this.#greeted = !document.documentElement.dataset.kept;
  }

  /** Entries that an earlier version of these pages has left. */
  async #takeOver() {
    const [kind, person] = this.#owner.split(":");
    const left = kind === "person" ? localStorage.getItem(`check-ins:${person}`) : null;
    for (const { id, meeting, point, said, observed_at } of JSON.parse(left ?? "[]")) {
      await store.add({ id, owner: this.#owner, to: `/check-in/${meeting}/${point}`, meeting, point, said, observed_at, refused: null });
    }
    if (left !== null) localStorage.removeItem(`check-ins:${person}`);
  }

  async #read() {
    const entries = await store.all();
    this.entries = entries.filter((entry) => entry.owner === this.#owner);
    this.#tell("change");
  }

  async #changed() {
    await this.#read();
    this.#others.postMessage({});
  }

  #become(held) {
    this.held = held;
    this.#tell("change");
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/** Where the browser can: let the worker send what waits even when this page is closed. */
async function askForSync() {
  try {
    const registration = await navigator.serviceWorker?.getRegistration();
    await registration?.sync?.register("check-ins");
  } catch {
    // Not granted: then the page sends it when it is opened again.
  }
}
