// Check-in of one point: every press goes into the queue and from there to the server; the page says
// what has reached it and what has not.
import { CheckInQueue } from "./checkin-queue.js";
import { serverNow } from "./clock.js";
import { clockTime, t } from "./i18n.js";
import { LiveMeeting } from "./live.js";
import { icon, say } from "./messages.js";

const REPORTABLE = ["ready", "present", "lost", "needs_help", "left"];
const WITH_NOTE = ["needs_help", "lost"];

const island = JSON.parse(document.getElementById("check-in-data").textContent);
const at = (id) => document.getElementById(id);
const form = at("check-in-form");
const line = new LiveMeeting(island.meeting, island.scope);
const queue = new CheckInQueue(island.person);
const known = { headcount: island.headcount, head: island.head };
let state = island.state;

// ---- sending ------------------------------------------------------------------------------------

form?.addEventListener("submit", (event) => {
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
  queue.add({ meeting: island.meeting, point: island.point, said, observed_at: new Date(serverNow()).toISOString() });
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
  const sending = at("sending");
  if (!sending) return;
  const waiting = queue.of(island.meeting, island.point);
  const refused = waiting.filter((entry) => entry.refused);
  const held = waiting.length - refused.length;
  let [kind, sign, words] = ["none", null, ""];
  if (refused.length) [kind, sign, words] = ["refused", "alert-circle", t("sending.refused", { reason: refused.at(-1).refused })];
  else if (held && (line.live || (line.line === "connecting" && navigator.onLine))) [kind, sign, words] = ["now", "cloud-upload", t("sending.now")];
  else if (held) [kind, sign, words] = ["waiting", "cloud-off", t("sending.waiting")];
  else if (lastSent) [kind, sign, words] = ["sent", "cloud-check", t("sending.sent", { time: clockTime(lastSent) })];
  sending.dataset.sending = kind;
  sending.replaceChildren(...(sign ? [icon(sign), document.createTextNode(words)] : []));
  at("waiting").hidden = !waiting.length || (held === 1 && !refused.length && kind === "now");
  at("waiting-list").replaceChildren(...waiting.map(waitingLine));
}

function waitingLine(entry) {
  const item = document.createElement("li");
  const word = document.createElement("span");
  word.className = `state state-${entry.said.state}`;
  word.textContent = t("waiting.entry", { state: t(`state.${entry.said.state}`), time: clockTime(new Date(entry.observed_at)) });
  item.append(word);
  if (entry.refused) {
    const drop = document.createElement("button");
    drop.type = "button";
    drop.className = "btn btn-sm";
    drop.textContent = t("waiting.drop");
    drop.addEventListener("click", () => queue.drop(entry.id));
    item.append(entry.refused, drop);
  }
  return item;
}

async function renewTimeLine() {
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
line.addEventListener("line", showSending);
for (const name of ["meeting", "snapshot"]) {
  line.addEventListener(name, () => {
    const now = line.meeting.state;
    if (!now || now === island.meeting_state) return;
    const opened = OPEN.includes(now) && !form;
    const closed = !OPEN.includes(now) && form;
    island.meeting_state = now;
    // The page has another shape then; nothing typed is lost where it only goes from scheduled to begun.
    if (opened || closed) location.reload();
  });
}

const notOpen = at("not-open");
if (notOpen) {
  const wait = Date.parse(notOpen.dataset.opensAt) - serverNow() + 500;
  if (wait < 2 ** 31) setTimeout(() => location.reload(), Math.max(1000, wait));
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard?.writeText(button.dataset.copy);
  say("success", t("copy.done"));
});

queue.over(line);
showSending();
line.open();
queue.flush();
