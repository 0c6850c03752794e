// Check-in of one point: every press goes into the queue and from there to the server; the page says
// what has reached it and what has not.
import { CheckInQueue } from "./checkin-queue.js";
import { serverNow } from "./clock.js";
import { receiptsOver } from "./checkin-notices.js";
import { drawSending } from "./checkin-waiting.js";
import { clockTime, shortMoment, t } from "./i18n.js";
import { LiveMeeting } from "./live.js";
import { say } from "./messages.js";
import { keep, keptAt } from "./offline.js";

const REPORTABLE = ["ready", "present", "lost", "needs_help", "left"];
const WITH_NOTE = ["needs_help", "lost"];
const TROUBLES = Array.from(document.querySelectorAll("[data-trouble]"), (button) => button.dataset.note);

const island = JSON.parse(document.getElementById("check-in-data").textContent);
const at = (id) => document.getElementById(id);
const form = at("check-in-form");
const line = new LiveMeeting(island.meeting, island.scope);
const queue = new CheckInQueue(island.owner);
const known = { headcount: island.headcount, head: island.head };
let state = island.state;

// ---- sending ------------------------------------------------------------------------------------

form?.addEventListener("submit", async (event) => {
  // Handled here, also without a network; the usual sending of forms is the way without this script.
  event.preventDefault();
  event.stopPropagation();
  if (!form.elements.headcount.reportValidity()) return;
  const wanted = event.submitter?.value ?? "present";
  const said = { state: wanted };
  const headcount = form.elements.headcount.value;
  if (headcount !== "") said.headcount = Number(headcount);
  said.head_of_delegation = form.elements.head_of_delegation.value.trim();
  if (WITH_NOTE.includes(wanted)) said.note = form.elements.note.value.trim();
  const { trouble, note } = event.submitter?.dataset ?? {};
  if (trouble) Object.assign(said, { trouble, note: TROUBLES.includes(said.note) ? note : said.note || note });
  try {
    await queue.add({ to: location.pathname, meeting: island.meeting, point: island.point, said });
  } catch {
    say("danger", t("waiting.notKept"));
    return;
  }
  known.headcount = said.headcount ?? known.headcount;
  known.head = said.head_of_delegation;
  showState(wanted, new Date(serverNow()));
});

form?.addEventListener("click", (event) => {
  const step = Number(event.target.closest("[data-step]")?.dataset.step ?? 0);
  if (!step) return;
  const input = form.elements.headcount;
  input.value = Math.min(100_000, Math.max(0, Number(input.value || 0) + step));
  offerCorrection();
});
form?.addEventListener("input", offerCorrection);

/** Once the point has reported, a changed number or name is a correction that wants sending. */
function offerCorrection() {
  const { headcount, head_of_delegation: head } = form.elements;
  const changed = headcount.value !== String(known.headcount ?? "") || head.value.trim() !== known.head;
  const correct = at("correct");
  correct.hidden = !changed || state === "invited";
  correct.value = state === "late" ? "present" : state;
}

// ---- what is shown ----------------------------------------------------------------------------------

function showState(now, since) {
  state = now;
  const badge = document.createElement("span");
  badge.className = `state state-${now} state-large`;
  badge.textContent = t(`state.${now}`);
  at("standing")?.replaceChildren(badge);
  if (at("standing-since")) at("standing-since").textContent = since ? t("since", { time: clockTime(since) }) : "";
  if (!form) return;
  const reported = now === "late" ? "present" : now;
  for (const button of form.querySelectorAll("button[name=state][aria-pressed]")) {
    button.setAttribute("aria-pressed", button.value === reported);
  }
  at("note-field").hidden = !WITH_NOTE.includes(now);
  if (WITH_NOTE.includes(now)) at("send-note").value = now;
  else form.elements.note.value = "";
  offerCorrection();
}

let lastSent = null;

function showSending() {
  const box = at("sending");
  if (!box) return;
  const live = line.live || (line.line === "connecting" && navigator.onLine);
  drawSending({ queue, entries: queue.of(island.meeting, island.point), live, lastSent, box, list: at("waiting-list") });
}

async function renewTimeLine() {
  document.dispatchEvent(new Event("checkin:said"));
  try {
    const answer = await fetch(`/check-in/${island.meeting}/${island.point}/line`, { headers: { accept: "text/html", "x-enhanced": "part" } });
    if (answer.ok) at("time-line").innerHTML = await answer.text();
  } catch {
    // Without a network the line stays as it is; it is renewed with the next change.
  }
}

queue.addEventListener("change", showSending);
queue.addEventListener("sent", ({ detail }) => {
  if (detail.meeting !== island.meeting || detail.point !== island.point) return;
  lastSent = new Date(serverNow());
  showSending();
  renewTimeLine();
  keepThisPage();
});

// ---- without a network ----------------------------------------------------------------------------------

/** What is kept for the time without a network should know what has been said since. */
let keeping = null;
function keepThisPage() {
  clearTimeout(keeping);
  keeping = setTimeout(() => keep([location.pathname, "/check-in"]), 500);
}

function showKept() {
  const bar = at("kept-bar");
  if (!bar || !keptAt) return;
  bar.hidden = line.live;
  bar.querySelector("p").textContent = t("kept", { time: shortMoment(keptAt) });
  // What the page says of the point is as old as the page: the server is there again, ask it.
  if (line.live) renewTimeLine();
}

// A message of the host shall be there without a network, too.
for (const name of ["live:notice:message", "live:notice:help"]) document.addEventListener(name, keepThisPage);

/** What was said and has not arrived yet is what this point says now, also after a reload. */
let shown = false;
queue.addEventListener("change", () => {
  const last = queue.of(island.meeting, island.point).findLast((entry) => !entry.refused);
  if (shown || !last) return;
  shown = true;
  if (last.said.headcount !== undefined && form) form.elements.headcount.value = last.said.headcount;
  known.headcount = last.said.headcount ?? known.headcount;
  showState(last.said.state, new Date(last.observed_at));
});

// ---- the live line: what colleagues report for this point, and the meeting itself -----------------------

function follow() {
  const now = line.points.get(island.point);
  if (!now || queue.of(island.meeting, island.point).some((entry) => !entry.refused)) return;
  if (now.state === state && now.headcount === known.headcount) return;
  if (REPORTABLE.includes(now.state) || now.state === "late") {
    const typing = form && document.activeElement === form.elements.headcount;
    if (form && !typing && at("correct").hidden && now.headcount !== null) form.elements.headcount.value = now.headcount;
    known.headcount = now.headcount;
    showState(now.state, now.since);
    renewTimeLine();
  }
}

const OPEN = ["scheduled", "in_progress"];
line.addEventListener("snapshot", follow);
line.addEventListener("changes", follow);
line.addEventListener("line", () => {
  showSending();
  showKept();
});
for (const name of ["meeting", "snapshot"]) {
  line.addEventListener(name, () => {
    const now = line.meeting.state;
    if (!now || now === island.meeting_state) return;
    const opened = OPEN.includes(now) && !form;
    const closed = !OPEN.includes(now) && form;
    island.meeting_state = now;
    if (now === "in_progress" && form?.hidden) openForm();
    // The page has another shape then; nothing typed is lost where it only goes from scheduled to begun.
    if (opened || closed) location.reload();
  });
}

/** The hour has come; the page may have been kept since before it. */
function openForm() {
  notOpen.hidden = true;
  form.hidden = false;
}

const notOpen = at("not-open");
if (notOpen) {
  const wait = Math.max(0, Date.parse(notOpen.dataset.opensAt) - serverNow());
  if (wait < 2 ** 31) setTimeout(openForm, wait);
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard?.writeText(button.dataset.copy);
  say("success", t("copy.done"));
});

queue.over(line);
receiptsOver(line, island.point);
showSending();
showKept();
line.open();
keepThisPage();
