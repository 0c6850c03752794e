// A page of a running meeting whose parts renew themselves: each [data-live-part] is fetched anew from
// its address when something it shows has changed. What people type stands outside of such parts.
import { refresh } from "./clock.js";
import { LiveMeeting } from "./live.js";

const island = JSON.parse(document.getElementById("during-data").textContent);
const cut = document.getElementById("live-cut");
const line = new LiveMeeting(island.meeting, island.scope);
const SOON = 150;
const ASKING = "needs_help";

let due = null;
let fetching = false;
let again = false;

function renewSoon() {
  due ??= setTimeout(() => {
    due = null;
    renew();
  }, SOON);
}

/** One fetch at a time: what changes meanwhile is fetched after it. */
async function renew() {
  if (fetching) {
    again = true;
    return;
  }
  fetching = true;
  again = false;
  for (const part of document.querySelectorAll("[data-live-part]")) {
    try {
      const answer = await fetch(part.dataset.livePart, { headers: { accept: "text/html", "x-enhanced": "part" } });
      if (answer.ok) replace(part, await answer.text());
    } catch {
      // The bar above says that the line is cut; the part is fetched when it is back.
    }
  }
  fetching = false;
  if (again) renewSoon();
}

/** The focus stays where it was: somebody may be about to press a button. */
function replace(part, html) {
  const held = part.contains(document.activeElement) ? document.activeElement : null;
  const action = held?.closest("form")?.getAttribute("action") ?? held?.getAttribute("href");
  part.innerHTML = html;
  refresh();
  if (!action) return;
  const same = [...part.querySelectorAll("form, a")].find((one) => (one.getAttribute("action") ?? one.getAttribute("href")) === action);
  (same?.querySelector("button") ?? same)?.focus();
}

// Points that ask for help, as far as this page knows: only they make the queue another one.
const asking = new Set();

function watch(ids) {
  let changed = false;
  for (const id of ids) {
    const asks = line.points.get(id)?.state === ASKING;
    if (asks || asking.has(id)) changed = true;
    if (asks) asking.add(id);
    else asking.delete(id);
  }
  return changed;
}

line.addEventListener("snapshot", () => {
  watch(line.points.keys());
  renewSoon();
});
line.addEventListener("changes", ({ detail }) => {
  if (watch(detail.points) && island.kind === "help") renewSoon();
});
line.addEventListener("line", () => {
  cut.hidden = line.line !== "stale";
});
document.addEventListener(`live:notice:${island.kind}`, renewSoon);
document.addEventListener("live:again", renewSoon);
// Receipts come by the thousand and are not announced one by one.
if (island.every) setInterval(() => document.hidden || renewSoon(), island.every * 1000);
line.open();
