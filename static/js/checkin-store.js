// What has been said here and has not reached the server: kept in the browser's database, so that it is
// still there after the browser was closed. Pages import this for its effect, the service worker loads
// it as it is: both send by the same rules, and one lock sees to it that only one of them sends at a time.
//
// An entry: {number, id, owner, to, meeting, point, said, observed_at, refused}. `number` gives the order,
// `owner` who said it ("person:7", "device:3"), `to` where it is posted, `refused` {code, detail} once
// the server has said no.
(() => {
  const NAME = "check-ins";
  const LOCK = "check-ins";
  const PATIENCE = 20_000;

  /** Answers that say nothing about the entry itself: it is sent again later. */
  const PASSING = new Set(["too_many_at_once", "server_stopping", "internal_error", "http_408", "http_425", "http_429"]);

  let opened = null;

  function database() {
    opened ??= new Promise((resolve, reject) => {
      const asked = indexedDB.open(NAME, 1);
      asked.onupgradeneeded = () => asked.result.createObjectStore("entries", { keyPath: "number", autoIncrement: true });
      asked.onerror = () => reject(asked.error);
      asked.onsuccess = () => {
        // A newer version of these scripts may want to change the database.
        asked.result.onversionchange = () => {
          asked.result.close();
          opened = null;
        };
        resolve(asked.result);
      };
    });
    opened.catch(() => {
      opened = null;
    });
    return opened;
  }

  /** One act on the entries; resolves when it is on the disk. */
  async function act(mode, work) {
    const found = await database();
    return new Promise((resolve, reject) => {
      const transaction = found.transaction("entries", mode, { durability: "strict" });
      const asked = work(transaction.objectStore("entries"));
      transaction.oncomplete = () => resolve(asked.result);
      transaction.onabort = () => reject(transaction.error);
    });
  }

  const all = () => act("readonly", (entries) => entries.getAll());
  const add = (entry) => act("readwrite", (entries) => entries.add(entry));
  const put = (entry) => act("readwrite", (entries) => entries.put(entry));
  const remove = (number) => act("readwrite", (entries) => entries.delete(number));

  /** Several pages and the worker share what waits: only one at a time may send it. */
  const alone = (work) => (navigator.locks ? navigator.locks.request(LOCK, work) : work());

  const unsent = (reason) => Object.assign(new Error(reason), { unsent: reason });

  async function ask(url, options) {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), PATIENCE);
    try {
      return await fetch(url, { credentials: "same-origin", cache: "no-store", ...options, signal: stop.signal });
    } catch {
      throw unsent("offline");
    } finally {
      clearTimeout(timer);
    }
  }

  /** Who this browser is to the server now: {owner, csrf_token, now}. Throws with `unsent`. */
  async function hello(owner) {
    const answer = await ask(owner.startsWith("device:") ? "/kiosk/state" : "/check-in/hello", {
      headers: { accept: "application/json" },
    });
    if (answer.status === 401) throw unsent("login");
    if (!answer.ok) throw unsent(answer.status === 403 ? "login" : "offline");
    const told = await answer.json();
    if (told.owner !== owner) throw unsent("another");
    return told;
  }

  /** Sends one entry; the revision that holds it. Throws with `unsent` (why not) or `refused` ({code, detail}). */
  async function post(entry, token) {
    const body = new URLSearchParams({ observed_at: entry.observed_at });
    for (const [name, value] of Object.entries(entry.said)) if (value !== null && value !== undefined) body.set(name, value);
    const answer = await ask(entry.to, {
      method: "POST",
      headers: { accept: "application/json", "x-csrftoken": token },
      body,
    });
    if (answer.ok) return (await answer.json()).revision;
    if (answer.status === 401) throw unsent("login");
    if (answer.status >= 500) throw unsent("offline");
    const { code, detail } = await answer.json().catch(() => ({ code: `http_${answer.status}`, detail: "" }));
    // A page that was kept has an old token; whoever asks for a new one may send again.
    if (code === "http_403") throw unsent("token");
    if (PASSING.has(code)) throw unsent("offline");
    throw Object.assign(new Error(detail), { refused: { code, detail } });
  }

  self.checkInStore = { all, add, put, remove, alone, hello, post };
})();
