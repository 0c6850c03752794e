// The board of a meeting: keeps what the page shows in step with the live line.
import { drawFilter, drawHelp, lastWord, make, PointTable, pulse, Tiles } from "./board-lists.js";
import { BoardMap } from "./board-map.js";
import { BoardModel, STATES } from "./board-model.js";
import { send } from "./csrf.js";
import { clockTime, t } from "./i18n.js";
import { LiveMeeting } from "./live.js";
import { logInAgain } from "./login.js";

const SPOKEN_EVERY = 10_000;
const LIST_EVERY = 500;
const NOTES_AFTER = 250;

const island = JSON.parse(document.getElementById("board-data").textContent);
const at = (id) => document.getElementById(id);
const board = at("board");
const line = new LiveMeeting(island.meeting, island.scope);
const model = new BoardModel(island, line);
const tiles = new Tiles(at("tiles"), model);
const table = new PointTable(board.querySelector(".board-list"), model);
const map = new BoardMap(at("map"), model);
const address = new URL(location.href);
let known = false; // the roster has come
let filter = address.searchParams.get("area");
if (filter && !filter.startsWith("level:") && !(filter in island.units)) filter = null;

// ---- what is shown -----------------------------------------------------------------------------

function write(element, value) {
  const text = String(value);
  if (!element || element.textContent === text) return false;
  element.textContent = text;
  return true;
}

function drawCounts({ totals, levels, groups }) {
  for (const element of board.querySelectorAll("[data-total]")) {
    const name = element.dataset.total;
    write(element, name === "share" ? Math.floor((100 * totals.there) / (totals.all || 1)) : totals[name]);
  }
  for (const part of at("state-bar").children) part.style.flexGrow = totals[part.dataset.share];
  if (!known) return;
  for (const row of at("levels").children) {
    const counts = levels.get(row.dataset.level);
    if (!counts) continue;
    write(row.querySelector("[data-present]"), counts.present);
    write(row.querySelector("[data-invited]"), counts.invited);
    setBar(row.querySelector("progress"), counts);
  }
  for (const row of at("groups").tBodies[0].rows) {
    const counts = groups.get(row.dataset.group);
    if (!counts) continue;
    for (const cell of row.querySelectorAll("[data-n]")) {
      const number = counts[cell.dataset.n];
      const spare = ["late", "lost", "needs_help"].includes(cell.dataset.n);
      const changed = write(cell, number || !spare ? number : "");
      if (changed && cell.dataset.n === "present") pulse(row);
    }
    setBar(row.querySelector("progress"), counts);
  }
  tiles.count(groups);
}

function setBar(bar, { present, invited }) {
  if (bar.value !== present) bar.value = present;
  if (bar.max !== (invited || 1)) bar.max = invited || 1;
}

let counted = null;

function redraw(changed = null) {
  counted = model.count();
  drawCounts(counted);
  if (!known) return;
  tiles.repaint(changed ?? line.points.keys());
  if (changed) {
    tiles.pulse(changed);
    map.pulse(changed);
  } else map.draw();
  drawLists();
  speak();
}

// ---- lists, at most twice a second ---------------------------------------------------------------

let listsDue = null;

function drawLists() {
  listsDue ??= setTimeout(() => {
    listsDue = null;
    drawHelp(model, at("help-panel"));
    table.draw();
    sortGroups();
  }, LIST_EVERY / 10);
}

let notesDue = null;

function fetchNotes() {
  notesDue ??= setTimeout(async () => {
    notesDue = null;
    try {
      const scope = island.scope ? `?scope=${encodeURIComponent(island.scope)}` : "";
      const answer = await send(`/meetings/${island.meeting}/board/notes${scope}`, { method: "GET", headers: { accept: "application/json" } });
      if (!answer.ok) return;
      model.learnNotes(await answer.json());
      drawLists();
    } catch {
      // The line tells that the network is gone; the notes come with the next change.
    }
  }, NOTES_AFTER);
}

const CALLING = new Set(["needs_help", "lost", "left"]);

function someoneCalls(ids) {
  return ids.some((id) => CALLING.has(model.standing(id).state));
}

// ---- spoken, at most every ten seconds -------------------------------------------------------------

let spokenAt = 0;
let speaking = null;

function speak() {
  if (speaking) return;
  speaking = setTimeout(() => {
    speaking = null;
    spokenAt = Date.now();
    const { there, all, lost, needs_help: help } = counted.totals;
    write(at("spoken-totals"), t("spoken", { there, all, lost, help }));
  }, Math.max(1000, spokenAt + SPOKEN_EVERY - Date.now()));
}

// ---- the line ----------------------------------------------------------------------------------------

const STOPPED = ["logged_out", "denied", "unknown"];
let shownAsOf = Date.parse(document.querySelector('meta[name="server-now"]').content);

function drawLine() {
  const state = line.line;
  const stopped = STOPPED.includes(state);
  const chip = at("line-chip");
  chip.dataset.line = stopped ? "stopped" : state;
  write(chip.querySelector("[data-line-text]"), t(`line.${stopped ? "stopped" : state}`));
  const bar = at("stale-bar");
  const stale = stopped || state === "stale";
  board.dataset.stale = stale;
  if (!stale) {
    bar.hidden = true;
    return;
  }
  const time = clockTime(new Date(line.heardAt ?? shownAsOf));
  write(bar.querySelector("[data-stale-text]"), t(stopped ? `stale.${state}` : "stale.cut", { time }));
  const action = at("stale-action");
  action.hidden = state === "denied" || state === "unknown";
  action.textContent = t(state === "logged_out" ? "stale.login" : "stale.now");
  bar.hidden = false;
}

at("stale-action").addEventListener("click", async () => {
  if (line.line === "logged_out" && !(await logInAgain())) return;
  line.retryNow();
});

line.addEventListener("line", drawLine);
line.addEventListener("snapshot", () => {
  drawMeeting();
  redraw();
  if (someoneCalls([...line.points.keys()])) fetchNotes();
});
line.addEventListener("changes", ({ detail }) => {
  redraw(detail.points);
  if (someoneCalls(detail.points)) fetchNotes();
});
line.addEventListener("meeting", () => {
  drawMeeting();
  redraw();
});

function drawMeeting() {
  const tag = document.querySelector("#meeting-state .tag");
  const { state } = line.meeting;
  if (!state || !tag || state === island.state) return;
  island.state = state;
  tag.className = `tag ${{ in_progress: "tag-green", scheduled: "tag-blue", cancelled: "tag-red tag-struck", postponed: "tag-amber" }[state] ?? ""}`;
  tag.textContent = t(`meeting.${state}`);
}

// ---- filter, sorting, what the address keeps ---------------------------------------------------------

function keepAddress() {
  for (const [name, value, usual] of [["area", filter, null], ["list", table.kind, "absent"], ["sort", sorting, null]]) {
    if (value && value !== usual) address.searchParams.set(name, value);
    else address.searchParams.delete(name);
  }
  history.replaceState(null, "", address);
}

function choose(kind, area) {
  filter = area;
  for (const button of board.querySelectorAll("[data-list]")) button.setAttribute("aria-pressed", button.dataset.list === kind);
  for (const button of board.querySelectorAll("[data-list-state]")) button.setAttribute("aria-pressed", button.dataset.listState === kind);
  for (const button of board.querySelectorAll("[data-filter-group]")) button.setAttribute("aria-pressed", button.dataset.filterGroup === area);
  drawFilter(at("list-filters"), area && model.groupName(area), () => choose(table.kind, null));
  table.choose(kind, area);
  tiles.only(area);
  map.only(area);
  keepAddress();
}

board.addEventListener("click", (event) => {
  const { list, listState, filterGroup, mapView, mapZoom } = event.target.closest("button")?.dataset ?? {};
  if (list) choose(list, filter);
  else if (listState) choose(table.kind === listState ? "absent" : listState, filter);
  else if (filterGroup) choose(filter === filterGroup ? "absent" : "all", filter === filterGroup ? null : filterGroup);
  else if (mapView) {
    map.show(mapView);
    for (const button of board.querySelectorAll("[data-map-view]")) button.setAttribute("aria-pressed", button.dataset.mapView === mapView);
  } else if (mapZoom) map.zoom(mapZoom === "in" ? 1.5 : 1 / 1.5);
});

let sorting = address.searchParams.get("sort");
const natural = [...at("groups").tBodies[0].rows];

function sortGroups() {
  for (const head of at("groups").tHead.rows[0].cells) {
    const [name, way] = (sorting ?? "").split("-");
    if (head.dataset.sort === name) head.setAttribute("aria-sort", way === "down" ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }
  const body = at("groups").tBodies[0];
  const rows = sorting && counted ? [...natural].sort(comparing(sorting)) : natural;
  if (rows.some((row, index) => body.rows[index] !== row)) body.append(...rows);
}

function comparing(order) {
  const [name, way] = order.split("-");
  const turn = way === "down" ? -1 : 1;
  const value = (row) => {
    const counts = counted.groups.get(row.dataset.group);
    if (name === "name") return model.groupName(row.dataset.group) ?? "";
    if (!counts) return 0;
    return name === "share" ? counts.present / (counts.invited || 1) : counts[name];
  };
  return (a, b) => {
    const [x, y] = [value(a), value(b)];
    return turn * (typeof x === "string" ? x.localeCompare(y, "vi") : x - y);
  };
}

at("groups").tHead.addEventListener("click", (event) => {
  const name = event.target.closest("th")?.dataset.sort;
  if (!name) return;
  const first = name === "name" || name === "share" ? "up" : "down";
  const second = first === "up" ? "down" : "up";
  sorting = sorting === `${name}-${first}` ? `${name}-${second}` : sorting === `${name}-${second}` ? null : `${name}-${first}`;
  sortGroups();
  keepAddress();
});

// ---- a word about the point under the pointer -----------------------------------------------------------

const tip = at("point-tip");

function showTip(id, x, y) {
  const fact = model.points.get(id);
  if (!fact) return;
  const standing = model.standing(id);
  const area = fact.area && fact.area !== fact.unitName ? [make("span", "soft", fact.area)] : [];
  tip.replaceChildren(
    make("strong", "", fact.unitName),
    ...area,
    make("span", `state state-${standing.state}`, t(`state.${standing.state}`)),
    make("span", "", lastWord(model, fact, standing)),
    make("span", "soft", [fact.technician, fact.phone].filter(Boolean).join(" · ")),
  );
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const left = Math.min(Math.max(8, x + 12), innerWidth - box.width - 8);
  const top = y + 16 + box.height > innerHeight ? y - box.height - 12 : y + 16;
  tip.style.transform = `translate(${Math.round(left)}px, ${Math.round(Math.max(8, top))}px)`;
}

map.addEventListener("point", ({ detail }) => {
  if (detail) showTip(detail.id, detail.x, detail.y);
  else tip.hidden = true;
});
at("tiles").addEventListener("pointerover", (event) => {
  const id = event.target.dataset?.point;
  if (id) showTip(Number(id), event.clientX, event.clientY);
  else tip.hidden = true;
});
at("tiles").addEventListener("pointerleave", () => {
  tip.hidden = true;
});
addEventListener("scroll", () => {
  tip.hidden = true;
}, { passive: true });

// ---- the hall ------------------------------------------------------------------------------------------------

function drawHall() {
  const hall = document.fullscreenElement !== null || address.searchParams.has("hall");
  document.documentElement.classList.toggle("hall", hall);
  write(at("hall-button").querySelector("span"), t(hall ? "hall.leave" : "hall.enter"));
}

at("hall-button").addEventListener("click", async () => {
  if (document.documentElement.classList.contains("hall")) {
    address.searchParams.delete("hall");
    history.replaceState(null, "", address);
    if (document.fullscreenElement) await document.exitFullscreen();
  } else await document.documentElement.requestFullscreen?.().catch(() => address.searchParams.set("hall", "1"));
  drawHall();
});
document.addEventListener("fullscreenchange", drawHall);

// ---- beginning --------------------------------------------------------------------------------------------------

async function learnRoster() {
  const scope = island.scope ? `?scope=${encodeURIComponent(island.scope)}` : "";
  for (let wait = 1000; ; wait = Math.min(30_000, wait * 2)) {
    try {
      const answer = await fetch(`/live/meetings/${island.meeting}/roster${scope}`, { headers: { accept: "application/json" } });
      if (answer.ok) return model.learn(await answer.json());
      if (answer.status < 500) return undefined; // the line says why
    } catch {
      // No network yet; the line says so.
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

for (const part of at("state-bar").children) part.style.flexGrow = part.dataset.count;
drawHall();
line.open();
await learnRoster();
known = model.points.size > 0;
tiles.build();
if (!map.place()) board.querySelector(".board-map").hidden = true;
const list = address.searchParams.get("list");
choose(["absent", "present", "all", ...STATES].includes(list) ? list : "absent", filter);
if (line.points.size) redraw();
