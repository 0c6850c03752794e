// The readiness board: figures and list are fetched anew when a point says something. However many say
// something, two seconds lie between, and longer where the answer takes the server long: a board must not
// keep it busy. The filters and the decision being typed stay.
import "./go-decision.js";
import { serverNow } from "./clock.js";
import { clockTime, t } from "./i18n.js";
import { LiveMeeting } from "./live.js";

const PAUSE = 2000;
/** The pause is so many times what the answer took. */
const PATIENCE = 15;
const PARTS = ["readiness-figures", "readiness-list"];

const island = JSON.parse(document.getElementById("readiness-data").textContent);
const line = new LiveMeeting(island.meeting, island.scope);
let waiting = null;
let fetchedAt = 0;
let pause = PAUSE;
let asOf = serverNow();

function soon() {
  if (waiting !== null) return;
  waiting = setTimeout(renew, Math.max(0, fetchedAt + pause - Date.now()));
}

async function renew() {
  const begun = Date.now();
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html", "x-enhanced": "part" } });
    if (answer.ok) {
      put(new DOMParser().parseFromString(await answer.text(), "text/html"));
      asOf = serverNow();
    }
  } catch {
    // The bar of the cut line says so; the line that comes back asks again.
  } finally {
    fetchedAt = Date.now();
    pause = Math.max(PAUSE, PATIENCE * (fetchedAt - begun)) * (1 + Math.random() / 5);
    waiting = null;
  }
}

function put(page) {
  for (const id of PARTS) {
    const [before, after] = [document.getElementById(id), page.getElementById(id)];
    if (!after) continue;
    const scroll = before.querySelector(".area-scroll")?.scrollTop ?? 0;
    const focused = before.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const fresh = document.importNode(after, true);
    const outcomes = new Map([...before.querySelectorAll("[data-point]")].map((row) => [row.dataset.point, row.dataset.outcome]));
    for (const row of fresh.querySelectorAll("[data-point]")) {
      if (outcomes.has(row.dataset.point) && outcomes.get(row.dataset.point) !== row.dataset.outcome) row.classList.add("just-changed");
    }
    before.replaceWith(fresh);
    if (fresh.querySelector(".area-scroll")) fresh.querySelector(".area-scroll").scrollTop = scroll;
    if (focused) fresh.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
  }
}

function showLine() {
  const known = ["connecting", "live", "stale"].includes(line.line) ? line.line : "stopped";
  const chip = document.getElementById("line-chip");
  chip.dataset.line = line.line;
  chip.querySelector("[data-line-text]").textContent = t(`line.${known}`);
  const bar = document.getElementById("stale-bar");
  bar.hidden = line.live || line.line === "connecting" || line.line === "closed";
  bar.querySelector("[data-stale-text]").textContent = t("stale.cut", { time: clockTime(new Date(asOf)) });
}

document.addEventListener("live:notice:line_test", soon);
document.addEventListener("live:again", soon);
line.addEventListener("line", showLine);
if (island.open) line.open();
else document.getElementById("line-chip").hidden = true;
