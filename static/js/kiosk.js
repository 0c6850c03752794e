// The tablet at a door. What it shows follows from what the server told last (`told`) and from the clock,
// so that it goes from one meeting to the next also without a network.
import { CheckInQueue } from "./checkin-queue.js";
import { drawSending } from "./checkin-waiting.js";
import { serverNow, setServerNow } from "./clock.js";
import { clockTime, shortMoment, t } from "./i18n.js";
import { LiveMeeting } from "./live.js";
import { icon, say } from "./messages.js";
import { keep } from "./offline.js";

const ASK_AGAIN = 60_000;
/** A meeting that nobody has ended gives way to the next one when that opens. */
const QUIET = 30_000;
const SIGNS = { live: "wifi", idle: "wifi", connecting: "refresh", stale: "wifi-off" };

const at = (id) => document.getElementById(id);
const form = at("check-in-form");
let told = JSON.parse(at("kiosk-data").textContent);
const { build, owner, point } = told;
const queue = new CheckInQueue(owner);

let shown = null;
let chosen = null;
let line = null;
let reachable = navigator.onLine;
let lastSent = null;
let touched = 0;
let edited = false;
let drawn = "";
/** What was pressed here or came over the line, newer than what the server told: {state, since, headcount}. */
const heard = new Map();

// ---- which meeting ----------------------------------------------------------------------------------

const isOpen = (meeting) => meeting.state === "in_progress" || serverNow() >= Date.parse(meeting.opens_at);
const isOver = (meeting) => meeting.state !== "in_progress" && serverNow() >= Date.parse(meeting.ends_at);

/** The meeting chosen by hand, else the last that has opened and is not over, else the next. */
function current() {
  const ahead = told.meetings.filter((meeting) => !isOver(meeting));
  return ahead.find((meeting) => meeting.id === chosen) ?? ahead.find(isOpen) ?? ahead[0] ?? null;
}

/** Every second: the hour may have come to open, or to go on to the next meeting. */
function tick() {
  const meeting = current();
  if (drawn !== outline(meeting)) show();
}

const outline = (meeting) => JSON.stringify([meeting, meeting && isOpen(meeting), told.meetings.map((one) => isOver(one))]);

function show() {
  const meeting = current();
  drawn = outline(meeting);
  at("none").hidden = meeting !== null || !at("revoked").hidden;
  at("work").hidden = meeting === null || !at("revoked").hidden;
  if (meeting?.id !== shown?.id) change(meeting);
  shown = meeting;
  if (!meeting) return;
  at("meeting-title").textContent = meeting.title;
  at("meeting-when").textContent = meeting.when;
  at("meeting-state").textContent = t(`meeting.${meeting.state}`);
  at("countdown").dateTime = meeting.starts_at;
  at("opens").textContent = isOpen(meeting) ? "" : t("opens", { time: shortMoment(new Date(meeting.opens_at)) });
  form.toggleAttribute("data-closed", !isOpen(meeting));
  for (const field of form.elements) field.disabled = !isOpen(meeting);
  showState();
  showSending();
  showMessages(meeting);
  showOthers(meeting);
}

function change(meeting) {
  line?.close();
  line = null;
  lastSent = null;
  edited = false;
  form.reset();
  if (meeting) follow(meeting);
  showLine();
}

/** What the host says, and how the call for help stands. */
function showMessages(meeting) {
  const help = meeting.help ? [paragraph("kiosk-help", t(`help.${meeting.help}`))] : [];
  const messages = (meeting.messages ?? []).map(({ text, at: sent }) => {
    const message = document.createElement("article");
    message.className = "host-message";
    message.append(paragraph("small soft", t("message.host", { time: shortMoment(new Date(sent)) })), paragraph("host-message-text", text));
    return message;
  });
  at("messages").replaceChildren(...help, ...messages);
  receiptMessages(meeting);
}

/** Messages of which the host has learned that this screen showed them, or is just being told. */
const receipted = new Set();

function receiptMessages(meeting) {
  const fresh = (meeting.messages ?? []).map(({ id }) => id).filter((id) => !receipted.has(id));
  if (!fresh.length || document.hidden || !line?.live || line.meeting.id !== meeting.id) return;
  for (const id of fresh) receipted.add(id);
  line.receipt({ id: `shown-${fresh.join("-")}`, point, shown: fresh }).catch((failure) => {
    // It is told again when the line is back, or with the next look at the server.
    if (failure.unsent) for (const id of fresh) receipted.delete(id);
  });
}

function paragraph(kind, text) {
  const made = document.createElement("p");
  made.className = kind;
  made.textContent = text;
  return made;
}

function showOthers(meeting) {
  const others = told.meetings.filter((one) => one.id !== meeting.id && !isOver(one));
  at("others").replaceChildren(
    ...others.map((one) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "btn";
      button.textContent = `${shortMoment(new Date(one.starts_at))} ${one.title}`;
      button.addEventListener("click", () => {
        chosen = one.id;
        show();
      });
      return button;
    }),
  );
}

// ---- how the point stands -------------------------------------------------------------------------------

function standing(meeting) {
  return heard.get(meeting.id) ?? { state: meeting.standing, since: meeting.since, headcount: meeting.headcount };
}

function showState() {
  const now = standing(shown);
  const badge = document.createElement("span");
  badge.className = `state state-${now.state} state-large`;
  badge.textContent = t(`state.${now.state}`);
  at("standing").replaceChildren(badge);
  at("standing-since").textContent = now.since ? t("since", { time: clockTime(new Date(now.since)) }) : "";
  const reported = now.state === "late" ? "present" : now.state;
  for (const button of form.querySelectorAll("button[aria-pressed]")) button.setAttribute("aria-pressed", button.value === reported);
  const count = form.elements.headcount;
  if (!edited) count.value = now.headcount ?? "";
  at("correct").value = now.state === "invited" || now.state === "late" ? "present" : now.state;
}

function offerCorrection() {
  edited = true;
  const now = standing(shown);
  const differs = form.elements.headcount.value !== String(now.headcount ?? "") || form.elements.head_of_delegation.value.trim() !== "";
  at("correct").hidden = !differs || now.state === "invited";
}

function showSending() {
  const live = line?.live || (line?.line === "connecting" && navigator.onLine);
  drawSending({ queue, entries: queue.entries, live, lastSent, box: at("sending"), list: at("waiting-list") });
  at("revoked-waiting").textContent = queue.entries.length ? t("revoked.waiting", { n: queue.entries.length }) : "";
}

function showLine() {
  const chip = at("line-chip");
  let now = reachable ? "idle" : "stale";
  if (line) now = ["live", "connecting"].includes(line.line) ? line.line : "stale";
  if (chip.dataset.line === now && chip.childNodes.length) return;
  chip.dataset.line = now;
  chip.replaceChildren(icon(SIGNS[now]), document.createTextNode(t(`line.${now}`)));
}

// ---- pressing -------------------------------------------------------------------------------------------

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!form.elements.headcount.reportValidity()) return;
  const state = event.submitter?.value ?? "present";
  const said = { state };
  const headcount = form.elements.headcount.value;
  const head = form.elements.head_of_delegation.value.trim();
  if (headcount !== "") said.headcount = Number(headcount);
  if (head) said.head_of_delegation = head;
  try {
    await queue.add({ to: `/kiosk/check-in/${shown.id}`, meeting: shown.id, point, said });
  } catch {
    say("danger", t("waiting.notKept"));
    return;
  }
  const before = standing(shown);
  const since = before.state === state ? before.since : new Date(serverNow()).toISOString();
  heard.set(shown.id, { state, since, headcount: said.headcount ?? before.headcount });
  // A name does not stay on a screen at a door.
  form.elements.head_of_delegation.value = "";
  at("correct").hidden = true;
  edited = false;
  showState();
});

form.addEventListener("click", (event) => {
  const step = Number(event.target.closest("[data-step]")?.dataset.step ?? 0);
  if (!step) return;
  const input = form.elements.headcount;
  input.value = Math.min(100_000, Math.max(0, Number(input.value || 0) + step));
  offerCorrection();
});
form.addEventListener("input", offerCorrection);
for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, () => (touched = Date.now()), { passive: true });

queue.addEventListener("change", () => {
  showSending();
  if (queue.held === "login") askAgain();
});
queue.addEventListener("sent", () => {
  lastSent = new Date(serverNow());
  askAgain();
  showSending();
  keepSoon();
});

// ---- the line to the meeting, and what the server tells ----------------------------------------------------

function follow(meeting) {
  const opened = new LiveMeeting(meeting.id, "", "/kiosk/live/");
  line = opened;
  queue.over(opened);
  const take = () => {
    const now = opened.points.get(point);
    if (!now || queue.of(meeting.id, point).some((entry) => !entry.refused)) return;
    heard.set(meeting.id, { state: now.state, since: now.since?.toISOString() ?? null, headcount: now.headcount });
    if (shown?.id === meeting.id) showState();
  };
  opened.addEventListener("snapshot", take);
  opened.addEventListener("changes", take);
  opened.addEventListener("meeting", askAgain);
  opened.addEventListener("line", () => {
    if (line !== opened) return;
    if (["logged_out", "denied", "unknown"].includes(opened.line)) askAgain();
    if (opened.live && shown) receiptMessages(shown);
    showLine();
    showSending();
  });
  opened.open();
}

/** Asks the server what is so now. 401: the tablet is none any more. */
async function askAgain() {
  let answer = null;
  try {
    answer = await fetch("/kiosk/state", { headers: { accept: "application/json" }, cache: "no-store" });
  } catch {
    // No network: what was told last holds.
  }
  reachable = Boolean(answer && answer.status < 500);
  if (answer?.status === 401) revoked();
  else if (answer?.ok) {
    at("revoked").hidden = true;
    told = await answer.json();
    setServerNow(Date.parse(told.now));
    if (told.owner !== owner || (told.build !== build && isQuiet())) location.reload();
    for (const meeting of told.meetings) if (line?.meeting.id !== meeting.id) heard.delete(meeting.id);
  }
  show();
  showLine();
}

function revoked() {
  at("revoked").hidden = false;
  line?.close();
}

/** Nobody is at the screen and nothing waits: a good moment to begin anew with a new version. */
const isQuiet = () => Date.now() - touched > QUIET && queue.entries.length === 0;

let keeping = null;
function keepSoon() {
  clearTimeout(keeping);
  keeping = setTimeout(() => keep(["/kiosk"]), 500);
}

// ---- a screen that stays on ----------------------------------------------------------------------------------

async function stayAwake() {
  try {
    await navigator.wakeLock?.request("screen");
  } catch {
    // Low battery, or not allowed: the tablet's own setting decides.
  }
}

at("full-screen").hidden = !document.documentElement.requestFullscreen;
at("full-screen").addEventListener("click", () => {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen().catch(() => {});
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  stayAwake();
  askAgain();
});

for (const name of ["live:notice:message", "live:notice:help", "live:again"]) document.addEventListener(name, askAgain);
addEventListener("online", askAgain);
setInterval(askAgain, ASK_AGAIN);
setInterval(tick, 1000);
stayAwake();
show();
keepSoon();
if (document.documentElement.dataset.kept) askAgain();
