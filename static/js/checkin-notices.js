// What a point is told on its check-in page: messages of the host with their receipts, and how its call for
// help stands. A message that came with the line stands here at once; the rest is fetched. Receipts that could
// not be sent are kept on the device and sent when the line is back.
import { send } from "./csrf.js";
import { notice } from "./messages.js";

const part = () => document.getElementById("point-notices");
const where = part()?.dataset.href ?? "";
const KEPT = `receipts:${where}`;

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

/** Messages that stand on this page and of which the server does not know it yet. */
function unreported() {
  return [...part().querySelectorAll('[data-message][data-shown="false"]')].map((one) => ["shown", one.dataset.message]);
}

function show(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html").getElementById("point-notices");
  if (!fresh) return;
  const before = callOf(part());
  part().replaceWith(document.importNode(fresh, true));
  const call = part().querySelector(".point-call");
  if (callOf(part()) === before) return;
  // Whoever has scrolled down to the buttons shall see, too, that somebody has taken the call.
  document.querySelector("#check-in-form .form-message")?.replaceChildren(...(call ? [notice("info", call.innerText.trim())] : []));
}

const callOf = (section) => section.querySelector(".point-call")?.innerText.trim() ?? "";

let busy = false;
let again = false;

/** Tells the server what has been shown and takes over what it answers; until nothing is left to tell. */
async function report() {
  if (busy) {
    again = true;
    return;
  }
  busy = true;
  again = false;
  const receipts = [...kept(), ...unreported()];
  const unique = [...new Map(receipts.map((one) => [one.join(), one])).values()].slice(0, 100);
  try {
    const answer = unique.length
      ? await send(where, { method: "POST", body: new URLSearchParams(unique), headers: { "x-enhanced": "part", accept: "text/html" } })
      : await fetch(where, { headers: { "x-enhanced": "part", accept: "text/html" } });
    if (answer.ok) {
      keep([]);
      show(await answer.text());
      again ||= unreported().length > 0;
    } else keep(unique);
  } catch {
    keep(unique);
  }
  busy = false;
  if (again && navigator.onLine) setTimeout(report, 500);
}

/** The message that came along with the notice: it stands here before anything is asked of the server. */
function showAtOnce({ message, text, withdrawn }) {
  const known = part().querySelector(`[data-message="${CSS.escape(String(message))}"]`);
  if (withdrawn) known?.remove();
  if (withdrawn || known || !text) return;
  const article = document.createElement("article");
  article.className = "host-message";
  Object.assign(article.dataset, { message, shown: "false", new: "true" });
  const words = document.createElement("p");
  words.className = "host-message-text";
  words.textContent = text;
  article.append(words);
  part().prepend(article);
  article.scrollIntoView({ block: "nearest" });
}

if (where) {
  document.addEventListener("live:notice", ({ detail }) => detail.kind === "message" && showAtOnce(detail));
  for (const name of ["live:notice:message", "live:notice:help", "live:again"]) document.addEventListener(name, report);
  // The point itself has said something else: its call for help may have begun or ended with it.
  document.addEventListener("checkin:said", report);
  addEventListener("online", report);
  // Whoever presses without a network has confirmed nevertheless: the press is kept.
  document.addEventListener(
    "submit",
    (event) => {
      const id = event.target.elements?.acknowledged?.value;
      if (!id || navigator.onLine || !part().contains(event.target)) return;
      event.preventDefault();
      event.stopPropagation();
      keep([...kept(), ["acknowledged", id]]);
      event.target.hidden = true;
    },
    true,
  );
  if (unreported().length || kept().length) report();
}
