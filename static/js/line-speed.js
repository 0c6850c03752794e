// The line between this browser and the server: round trips, jitter, speed down and up, and whether a
// websocket gets through. Everything has an end: sizes grow only while the line is quick.

const PINGS = 12;
const QUICK = 400;
const FIRST = 64 * 1024;
const GROWTH = 4;
const PATIENCE = 20_000;
const SOCKET_PATIENCE = 8000;
const RETRIES = 2;
const LONGEST_WAIT = 30;

/** The server is measuring for others: nothing is wrong with the line. */
export class Busy extends Error {}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** `ask` is a function that fetches; waits and tries again where the server says 429. */
async function patiently(ask, tellWait) {
  for (let attempt = 0; ; attempt += 1) {
    const answer = await ask(AbortSignal.timeout(PATIENCE));
    if (answer.ok) return answer;
    if (answer.status !== 429) throw new Error(String(answer.status));
    const seconds = Math.min(LONGEST_WAIT, Number(answer.headers.get("retry-after")) || 5);
    if (attempt >= RETRIES) throw new Busy();
    tellWait(seconds);
    await new Promise((done) => setTimeout(done, seconds * 1000 * (1 + Math.random() / 2)));
  }
}

/** {round_trip_ms, jitter_ms}: the middle one of several, and the mean difference of neighbours. */
export async function roundTrips(tellWait) {
  const took = [];
  for (let n = 0; n <= PINGS; n += 1) {
    const begun = performance.now();
    await patiently((signal) => fetch("/self-test/ping", { cache: "no-store", signal }), tellWait);
    // The first one opens the connection.
    if (n > 0) took.push(performance.now() - begun);
  }
  const steps = took.slice(1).map((each, index) => Math.abs(each - took[index]));
  return { round_trip_ms: median(took), jitter_ms: steps.reduce((sum, each) => sum + each, 0) / steps.length };
}

const mbits = (bytes, milliseconds) => (bytes * 8) / 1000 / Math.max(milliseconds, 0.1);

/** Doubles its piece until one takes long enough to be told from the round trip. */
async function grow(largest, transfer) {
  for (let size = FIRST; ; size = Math.min(size * GROWTH, largest)) {
    const took = await transfer(size);
    if (took > QUICK || size >= largest) return mbits(size, took);
  }
}

export const download = (largest, tellWait) =>
  grow(largest, async (size) => {
    let begun = 0;
    const answer = await patiently((signal) => {
      begun = performance.now();
      return fetch(`/self-test/download?size=${size}`, { cache: "no-store", signal });
    }, tellWait);
    await answer.arrayBuffer();
    return performance.now() - begun;
  });

export const upload = (largest, token, tellWait) =>
  grow(largest, async (size) => {
    const noise = new Uint8Array(size);
    // getRandomValues fills at most 65,536 bytes at once.
    for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(noise.subarray(at, Math.min(at + 65_536, size)));
    let begun = 0;
    await patiently((signal) => {
      begun = performance.now();
      return fetch("/self-test/upload", { method: "POST", body: noise, headers: { "x-csrftoken": token, "content-type": "application/octet-stream" }, signal });
    }, tellWait);
    return performance.now() - begun;
  });

/** Milliseconds until the first frame of a meeting's live line; null where none came. */
export function liveLine(meeting, scope) {
  const address = new URL(`/live/meetings/${meeting}?scope=${encodeURIComponent(scope)}`, location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  return new Promise((resolve) => {
    const begun = performance.now();
    const socket = new WebSocket(address);
    const done = (value) => {
      clearTimeout(timer);
      socket.close();
      resolve(value);
    };
    const timer = setTimeout(() => done(null), SOCKET_PATIENCE);
    socket.addEventListener("message", () => done(performance.now() - begun));
    socket.addEventListener("close", () => done(null));
  });
}
