// The service worker: keeps what the check-in pages are made of, so that they open without a network.
//
// The server puts `self.BUILD` in front: {version, shell: {address: integrity}, scripts}. Only check-in
// pages are kept. Those of all other places hold what must not lie about on a device; without a network
// a page of ours stands in for them.
/* global BUILD, checkInStore */
self.importScripts(...BUILD.scripts);

const SHELL = `shell-${BUILD.version}`;
const PAGES = `pages-${BUILD.version}`;
const OFFLINE = (lang) => `/offline?lang=${lang}`;
const LANGUAGES = ["vi", "en"];

const KEPT_FOR = 2 * 24 * 3600 * 1000;
const MOST_PAGES = 60;
/** A page that is kept is shown when the server has not answered for so long. */
const PATIENCE = 8000;
/** What a server in front says while ours is away. */
const AWAY = [502, 503, 504];

const isKept = (url) => url.origin === location.origin && !url.search && /^\/(check-in(\/\d+\/\d+)?|kiosk)$/.test(url.pathname);

/** How each page was had: one that was kept must be made of what was kept with it. */
const pages = new Map();
/** How often somebody has logged in or out here. */
let people = 0;

// ---- a new version: whole or not at all ------------------------------------------------------------

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));

async function install() {
  const shell = await caches.open(SHELL);
  await Promise.all([
    ...Object.entries(BUILD.shell).map(async ([address, integrity]) => {
      // The hash sees to it that nothing of another version slips in while the server is being changed.
      const answer = await fetch(new Request(address, { integrity, cache: "no-cache" }));
      if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
      await shell.put(address, answer);
    }),
    ...LANGUAGES.map(async (lang) => shell.put(OFFLINE(lang), await marked(await fetch(OFFLINE(lang), { cache: "no-store" })))),
  ]);
  for (const name of await older("pages-")) {
    for (const request of await (await caches.open(name)).keys()) await keep(new URL(request.url));
  }
  await self.skipWaiting();
}

async function activate() {
  for (const name of [...(await older("shell-")), ...(await older("pages-"))]) await caches.delete(name);
  await self.clients.claim();
}

const older = async (kind) => (await caches.keys()).filter((name) => name.startsWith(kind) && ![SHELL, PAGES].includes(name));

// ---- keeping pages -------------------------------------------------------------------------------------

/** Fetches a page and keeps it. Throws without a network. */
async function keep(url) {
  if (!isKept(url)) return;
  const asked = people;
  const answer = await fetch(url, { credentials: "same-origin", cache: "no-store", headers: { accept: "text/html" } });
  if (isWanted(answer)) return store(url, answer, asked);
  await answer.body?.cancel();
  return forget(url, answer);
}

async function store(url, answer, asked) {
  const kept = await caches.open(PAGES);
  await kept.put(url.pathname, await marked(answer));
  // Asked for by somebody who has logged out since.
  if (asked !== people && url.pathname !== "/kiosk") await kept.delete(url.pathname);
  await tidy(kept);
}

/** What may not be seen any more is not kept. */
async function forget(url, answer) {
  if ([401, 403, 404].includes(answer.status)) await (await caches.open(PAGES)).delete(url.pathname);
}

const isOther = (answer) => answer.ok && !answer.redirected && answer.headers.get("x-build") !== BUILD.version;
const isWanted = (answer) => answer.ok && !answer.redirected && answer.headers.get("x-build") === BUILD.version;

/** The page, saying itself that and since when it is kept. */
async function marked(answer) {
  const now = new Date().toISOString();
  const headers = new Headers(answer.headers);
  headers.set("x-kept-at", now);
  headers.delete("content-encoding");
  headers.delete("content-length");
  const text = await answer.text();
  return new Response(text.replace("<html ", `<html data-kept="${now}" `), { status: answer.status, headers });
}

async function tidy(kept) {
  const found = await kept.keys();
  for (const [place, request] of found.entries()) {
    const since = Date.parse((await kept.match(request))?.headers.get("x-kept-at") ?? "");
    const isOld = Date.now() - since > KEPT_FOR && new URL(request.url).pathname !== "/kiosk";
    if (isOld || place < found.length - MOST_PAGES) await kept.delete(request);
  }
}

/** Pages of people go when somebody logs in or out; the tablet's page is nobody's. */
async function forgetPeople() {
  people += 1;
  for (const name of await caches.keys()) {
    if (!name.startsWith("pages-")) continue;
    const kept = await caches.open(name);
    for (const request of await kept.keys()) {
      if (new URL(request.url).pathname !== "/kiosk") await kept.delete(request);
    }
  }
}

self.addEventListener("message", (event) => {
  if (event.data?.type !== "keep") return;
  const addresses = event.data.addresses.map((address) => new URL(address, location.href));
  event.waitUntil(
    (async () => {
      for (const url of addresses) await keep(url).catch(() => {});
      event.source?.postMessage({ type: "kept", addresses: event.data.addresses });
    })(),
  );
});

// ---- answering ---------------------------------------------------------------------------------------------

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== location.origin) return;
  if (request.mode === "navigate" && request.method === "GET") event.respondWith(page(event, url));
  else if (request.method === "GET" && url.pathname.startsWith("/static/") && wasKept(event.clientId)) event.respondWith(part(request, url));
  else if (request.method === "POST" && ["/login", "/login/code", "/logout"].includes(url.pathname)) event.respondWith(change(request));
});

async function change(request) {
  const answer = await fetch(request);
  if (answer.ok || answer.type === "opaqueredirect" || answer.redirected) await forgetPeople();
  return answer;
}

/** A page: from the server; else the one that was kept, or the one that says there is no network. */
async function page(event, url) {
  const client = event.resultingClientId;
  const kept = isKept(url) ? await (await caches.open(PAGES)).match(url.pathname) : undefined;
  const asked = people;
  try {
    const answer = await within(kept ? PATIENCE : null, fetch(event.request));
    if (!AWAY.includes(answer.status)) {
      pages.set(client, answer.headers.get("x-build"));
      // A copy is made only to be read: an answer that nobody reads to its end keeps this worker busy.
      if (isKept(url)) event.waitUntil((isWanted(answer) ? store(url, answer.clone(), asked) : forget(url, answer)).catch(() => {}));
      if (isOther(answer)) self.registration.update().catch(() => {});
      return answer;
    }
    if (!kept) return answer;
  } catch {
    // No network, or no server: below.
  }
  pages.set(client, "kept");
  return kept ?? (await caches.open(SHELL)).match(OFFLINE(await language()));
}

/** A part of a page that was kept: from what was kept with it. */
async function part(request, url) {
  return (await (await caches.open(SHELL)).match(url.pathname)) ?? fetch(request);
}

/** Whether the page that asks was kept. All others load as if there were no worker: an answer passed on that
 *  nobody reads to its end would keep this one busy and hold the next version back. */
function wasKept(client) {
  const had = pages.get(client);
  return had === "kept" || (had === undefined && !navigator.onLine);
}

function within(milliseconds, promise) {
  if (milliseconds === null) return promise;
  return Promise.race([promise, new Promise((_, reject) => setTimeout(() => reject(new Error("no answer")), milliseconds))]);
}

/** The language chosen on this device, as far as the worker can know: that of a page that is kept. */
async function language() {
  const kept = await caches.open(PAGES);
  const [first] = await kept.keys();
  const text = first ? await (await kept.match(first)).text() : "";
  const found = /<html [^>]*lang="(\w+)"/.exec(text)?.[1];
  return LANGUAGES.includes(found) ? found : LANGUAGES[0];
}

// ---- sending what waits while no page is open ------------------------------------------------------------

self.addEventListener("sync", (event) => {
  if (event.tag === "check-ins") event.waitUntil(checkInStore.alone(sendAll));
});

async function sendAll() {
  const others = new BroadcastChannel("check-ins");
  const waiting = (await checkInStore.all()).filter((entry) => !entry.refused);
  const greeted = new Map();
  const owners = [...new Set(waiting.map((entry) => entry.owner))];
  for (const owner of owners) {
    try {
      greeted.set(owner, await checkInStore.hello(owner));
    } catch (failure) {
      // Without a network the browser asks again; whoever is not logged in sends when they are.
      if (failure.unsent === "offline") throw failure;
    }
  }
  for (const entry of waiting.filter((one) => greeted.has(one.owner))) {
    try {
      const revision = await checkInStore.post(entry, greeted.get(entry.owner).csrf_token);
      await checkInStore.remove(entry.number);
      others.postMessage({ sent: { ...entry, revision } });
    } catch (failure) {
      if (!failure.refused) throw failure;
      await checkInStore.put({ ...entry, refused: failure.refused });
      others.postMessage({});
    }
  }
}
