// What a point is told on its check-in page: messages of the host with their receipts, and how its call for
// help stands. A message for everybody comes with the line and stands here at once, without asking the server;
// the rest is fetched. Receipts go over the line, sent once each, and are kept on the device until they arrive.
import { send } from "./csrf.js";
import { clockTime } from "./i18n.js";
import { notice } from "./messages.js";

const part = () => document.getElementById("point-notices");
const where = part()?.dataset.href ?? "";
const KEPT = `receipts:${where}`;
const MOST = 100;
const AGAIN = 5000;

function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEPT) ?? "[]");
  } catch {
    return [];
  }
}

function keep(receipts) {
  if (receipts.length) localStorage.setItem(KEPT, JSON.stringify(receipts));
  else localStorage.removeItem(KEPT);
}

const articleOf = (id) => part().querySelector(`[data-message="${CSS.escape(String(id))}"]`);
const callOf = (section) => section.querySelector(".point-call")?.innerText.trim() ?? "";

// ---- what is shown ---------------------------------------------------------------------------------

let renewing = false;
/** What is on its way was asked for before something changed: it may lack that, and is asked for again. */
let outdated = false;

async function renew() {
  outdated = renewing;
  if (renewing) return;
  renewing = true;
  try {
    do {
      outdated = false;
      const answer = await fetch(`${where}/notices`, { headers: { "x-enhanced": "part", accept: "text/html" } });
      const html = answer.ok ? await answer.text() : "";
      if (html && !outdated) show(html);
    } while (outdated);
  } catch {
    // Without a network what stands here stays; it is fetched when the line is back.
  }
  renewing = false;
  report();
}

function show(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html").getElementById("point-notices");
  if (!fresh) return;
  const before = callOf(part());
  part().replaceWith(document.importNode(fresh, true));
  for (const [act, id] of kept()) if (act === "acknowledged") mark(id, "");
  const call = part().querySelector(".point-call");
  if (callOf(part()) === before) return;
  // Whoever has scrolled down to the buttons shall see, too, that somebody has taken the call.
  document.querySelector("#check-in-form .form-message")?.replaceChildren(...(call ? [notice("info", call.innerText.trim())] : []));
}

/** The message that came along with the notice. False where its text has to be fetched. */
function showAtOnce({ message, text, withdrawn, to_confirm: toConfirm, at }) {
  if (withdrawn) {
    articleOf(message)?.remove();
    return true;
  }
  if (articleOf(message)) return true;
  const template = part().querySelector("template");
  if (!text || !template) return false;
  const article = template.content.firstElementChild.cloneNode(true);
  Object.assign(article.dataset, { message, shown: "false", new: "true" });
  const when = article.querySelector("[data-when]");
  when.textContent = when.textContent.replace("{time}", clockTime(new Date(at)));
  article.querySelector(".host-message-text").textContent = text;
  if (toConfirm) article.querySelector("[name=acknowledged]").value = message;
  else article.querySelector("form").remove();
  part().prepend(article);
  article.scrollIntoView({ block: "nearest" });
  return true;
}

/** The press counts on this page at once; `at` is when the server has learned of it, or nothing yet. */
function mark(id, at) {
  const article = articleOf(id);
  if (!article) return;
  const form = article.querySelector("form");
  if (form) form.hidden = true;
  if (!at) return;
  article.dataset.new = "false";
  const words = document.createElement("p");
  words.className = "small soft";
  words.textContent = part().dataset.confirmed.replace("{time}", at);
  form?.replaceWith(words);
}

// ---- receipts ----------------------------------------------------------------------------------------

/** Messages that stand on this page and of which the server does not know it yet. */
const unreported = () => Array.from(part().querySelectorAll('[data-message][data-shown="false"]'), (one) => ["shown", one.dataset.message]);

let busy = false;
let due = null;
let line = null;
let point = null;
let turn = 0;

async function report() {
  clearTimeout(due);
  if (busy) return;
  const waiting = [...kept(), ...unreported()];
  const receipts = [...new Map(waiting.map((one) => [one.join(), one])).values()].slice(0, MOST);
  if (!receipts.length || !navigator.onLine) return;
  busy = true;
  let delay = AGAIN;
  try {
    const at = await deliver(receipts);
    outdated = renewing;
    const sent = new Set(receipts.map((one) => one.join()));
    keep(kept().filter((one) => !sent.has(one.join())));
    for (const [act, id] of receipts) {
      const article = articleOf(id);
      if (article) article.dataset.shown = "true";
      if (act === "acknowledged") mark(id, at);
    }
    delay = 0;
  } catch {
    // Kept; sent when the line is back.
  }
  busy = false;
  if (kept().length || unreported().length) due = setTimeout(report, delay);
}

/** The time by the server's clock, or "" for what it refuses for good and is not asked again. */
async function deliver(receipts) {
  if (line?.live) return deliverOverTheLine(receipts);
  const answer = await send(`${where}/receipts`, { body: new URLSearchParams(receipts), headers: { "x-enhanced": "part", accept: "application/json" } });
  if (answer.ok) return (await answer.json()).at;
  if ([403, 404, 422].includes(answer.status)) return "";
  throw new Error(answer.statusText);
}

/** A nation's pages do so within seconds: over the line it costs the server a hundredth of a request. */
async function deliverOverTheLine(receipts) {
  const of = (wanted) => receipts.filter(([act]) => act === wanted).map(([, id]) => Number(id));
  turn += 1;
  try {
    const { at } = await line.receipt({ id: `receipt-${turn}`, point, shown: of("shown"), acknowledged: of("acknowledged") });
    return clockTime(new Date(at));
  } catch (failure) {
    if (failure.unsent) throw failure;
    return "";
  }
}

/** Receipts of this point go over its line while that is up. */
export function receiptsOver(itsLine, itsPoint) {
  line = itsLine;
  point = itsPoint;
}

if (where) {
  const missing = new Set();
  document.addEventListener("live:notice", ({ detail }) => {
    if (detail.kind === "message" && !showAtOnce(detail)) missing.add(detail.message);
  });
  document.addEventListener("live:notice:message", () => {
    if (!missing.size) return report();
    missing.clear();
    return renew();
  });
  // The point itself has said something else: its call for help may have begun or ended with it.
  for (const name of ["live:notice:help", "live:again", "checkin:said"]) document.addEventListener(name, renew);
  addEventListener("online", report);
  document.addEventListener(
    "submit",
    (event) => {
      const id = event.target.elements?.acknowledged?.value;
      if (!id || !part().contains(event.target)) return;
      event.preventDefault();
      event.stopPropagation();
      keep([...kept(), ["acknowledged", id]]);
      mark(id, "");
      report();
    },
    true,
  );
  report();
}
