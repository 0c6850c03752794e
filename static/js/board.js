// The board of a meeting: keeps what the page shows in step with the live line, or as it was at an instant.
import { BoardDay } from "./board-day.js";
import { keepHall } from "./board-hall.js";
import { drawChips, drawHelp, grouped, GroupTable, lastWord, make, setBar, Tiles, write } from "./board-lists.js";
import { keepLine } from "./board-line.js";
import { BoardMap } from "./board-map.js";
import { BoardModel, STATES } from "./board-model.js";
import { keepReminders } from "./board-remind.js";
import { PointTable } from "./board-table.js";
import { send } from "./csrf.js";
import { clockTime, t } from "./i18n.js";
import { LiveMeeting } from "./live.js";

const COUNTS_EVERY = 250;
const LIST_EVERY = 500;
const NOTES_EVERY = 2000;

const island = JSON.parse(document.getElementById("board-data").textContent);
const at = (id) => document.getElementById(id);
const board = at("board");
const line = new LiveMeeting(island.meeting, island.scope);
const model = new BoardModel(island, line);
const tiles = new Tiles(board.querySelector(".board-tiles"), model);
const table = new PointTable(board.querySelector(".board-list"), model);
const areas = new GroupTable(at("groups"), model);
const map = new BoardMap(at("map"), model);
const day = new BoardDay(at("board-day"), island.meeting, island.scope);
const address = new URL(location.href);
let known = false; // the roster has come

// ---- what is asked for, and the address that keeps it -------------------------------------------------

const LISTS = ["absent", "present", "all", ...STATES];
const asked = {
  list: LISTS.includes(address.searchParams.get("list")) ? address.searchParams.get("list") : "absent",
  area: address.searchParams.get("area"),
  level: address.searchParams.get("level"),
  reply: address.searchParams.get("reply"),
  words: address.searchParams.get("q"),
};
const since = address.searchParams.get("at");
areas.sorting = address.searchParams.get("sort");

function keepAddress() {
  const { list, area, level, reply, words } = asked;
  const kept = { list: list === "absent" ? null : list, area, level, reply, q: words, sort: areas.sorting, at: day.instant?.toISOString().slice(0, 19).concat("Z") };
  for (const [name, value] of Object.entries(kept)) {
    if (value) address.searchParams.set(name, value);
    else address.searchParams.delete(name);
  }
  history.replaceState(null, "", address);
}

function choose(wanted, glide = true) {
  const moved = "area" in wanted && wanted.area !== asked.area;
  Object.assign(asked, wanted);
  for (const button of board.querySelectorAll("[data-list]")) button.setAttribute("aria-pressed", button.dataset.list === asked.list);
  for (const button of board.querySelectorAll("[data-list-state]")) button.setAttribute("aria-pressed", button.dataset.listState === asked.list);
  for (const [name, value] of [["filter-level", asked.level], ["filter-reply", asked.reply], ["filter-words", asked.words]]) if (at(name).value !== (value ?? "")) at(name).value = value ?? "";
  write(board.querySelector("[data-list-title]"), LISTS.indexOf(asked.list) < 3 ? t(`list.${asked.list}`) : t(`state.${asked.list}`));
  drawChips(
    at("list-filters"),
    [
      asked.area && { name: model.units.get(asked.area)?.name ?? asked.area, takeOff: () => choose({ area: null }) },
      asked.level && { name: model.levelName(asked.level), takeOff: () => choose({ level: null }) },
      asked.reply && { name: t(`reply.${asked.reply}`), takeOff: () => choose({ reply: null }) },
    ].filter(Boolean),
  );
  if (moved || wanted.anew) {
    drawCrumbs();
    tiles.build(asked.area);
    map.show(asked.area, glide);
    drawCounts();
  }
  drawLists(true);
  keepAddress();
}

/** From everything down to the area that is shown; each step leads back. */
function drawCrumbs() {
  const step = (code, name, last) => {
    const button = make("button", "link-button", name);
    button.type = "button";
    button.dataset.area = code ?? "";
    if (last) button.setAttribute("aria-current", "true");
    return make("li", "", button);
  };
  const way = asked.area ? model.path(asked.area) : [];
  at("map-crumbs").replaceChildren(step(null, island.whole, way.length === 0), ...way.map(({ code, name }, n) => step(code, name, n === way.length - 1)));
}

// ---- what is shown --------------------------------------------------------------------------------------

let counted = null;

function drawCounts() {
  counted = model.totals;
  for (const element of board.querySelectorAll("[data-total]")) {
    const name = element.dataset.total;
    write(element, name === "share" ? Math.floor((100 * counted.there) / (counted.all || 1)) : counted[name]);
  }
  for (const part of at("state-bar").children) part.style.flexGrow = counted[part.dataset.share];
  const { levels } = model;
  for (const row of at("levels").children) {
    const counts = levels.get(row.dataset.level);
    if (!counts) continue;
    write(row.querySelector("[data-present]"), counts.there);
    write(row.querySelector("[data-invited]"), counts.all);
    setBar(row.querySelector("progress"), counts);
  }
  const groups = model.groups(asked.area);
  areas.draw(groups, asked.area);
  tiles.count(groups);
}

/** Calls `act` at once, and again at most every so many ms. */
function paced(act, every) {
  let timer = null;
  let due = false;
  return () => {
    if (timer) {
      due = true;
      return;
    }
    act();
    timer = setTimeout(function again() {
      timer = due ? setTimeout(again, every) : null;
      if (due) act();
      due = false;
    }, every);
  };
}

let dimmed = false;

function drawLists(anew = false) {
  if (!known) return;
  const { mask, order } = model.found(asked);
  const narrowed = Boolean(asked.area || asked.level || asked.reply || asked.words || LISTS.indexOf(asked.list) > 2);
  if (narrowed || dimmed) map.only(narrowed ? mask : null, anew);
  dimmed = narrowed;
  table.list(order, anew);
  write(board.querySelector("[data-list-count]"), order.length);
  write(board.querySelector("[data-list-none]"), order.length ? "" : t("list.none"));
  const many = at("remind-all");
  many.hidden = !island.may_remind || model.instant !== null || !absentIn(order).length;
  write(many.querySelector("span"), t("remind.all", { n: grouped(absentIn(order).length) }));
}

const absentIn = (order) => order.filter((index) => !["present", "late", "needs_help"].includes(model.stateOf(index)));

const countsSoon = paced(drawCounts, COUNTS_EVERY);
const listsSoon = paced(() => {
  drawHelp(model, at("help-panel"));
  drawLists();
  speak();
}, LIST_EVERY);

const notesSoon = paced(async () => {
  const scope = island.scope ? `?scope=${encodeURIComponent(island.scope)}` : "";
  // Without a network the line says so; the notes come with the next change.
  const answer = await send(`/meetings/${island.meeting}/board/notes${scope}`, { method: "GET", headers: { accept: "application/json" } }).catch(() => null);
  if (!answer?.ok || model.instant) return;
  model.learnNotes(await answer.json());
  listsSoon();
}, NOTES_EVERY);

const CALLING = new Set(["needs_help", "lost", "left"]);

/** All may have changed: a snapshot, another instant. */
function redraw() {
  if (!known) return;
  drawCounts();
  tiles.repaintAll();
  map.repaint();
  listsSoon();
}

// ---- spoken, at most every ten seconds --------------------------------------------------------------------

const speak = paced(() => {
  const { there, all, lost, needs_help: help } = model.totals;
  write(at("spoken-totals"), t("spoken", { there: grouped(there), all: grouped(all), lost, help }));
}, 10_000);

// ---- the line ---------------------------------------------------------------------------------------------

keepLine(line, board, island);
line.addEventListener("snapshot", () => {
  if (!known) return;
  model.takeSnapshot();
  redraw();
  notesSoon();
});
line.addEventListener("changes", ({ detail }) => {
  if (!known) return;
  const moved = model.takeChanges(detail.points);
  if (!moved.length) return;
  tiles.repaint(moved);
  tiles.pulse(moved);
  map.change(moved);
  countsSoon();
  listsSoon();
  if (moved.some((index) => CALLING.has(model.stateOf(index)))) notesSoon();
});
line.addEventListener("meeting", redraw);

// What is decided fetches itself (`go-decision.js`).
for (const name of ["live:notice:reminder", "live:notice:help", "live:again"]) document.addEventListener(name, () => notesSoon());

// ---- presses ------------------------------------------------------------------------------------------------

board.addEventListener("click", (event) => {
  const { list, listState, filterGroup, area, mapZoom } = event.target.closest("button")?.dataset ?? {};
  if (list) choose({ list });
  else if (listState) choose({ list: asked.list === listState ? "absent" : listState });
  else if (filterGroup?.startsWith("level:")) choose({ level: asked.level === filterGroup.slice(6) ? null : filterGroup.slice(6), list: "all" });
  else if (filterGroup) choose({ area: filterGroup, list: "all" });
  else if (area !== undefined) choose({ area: area || null, list: area ? asked.list : "absent" });
  else if (mapZoom === "fit") map.fit();
  else if (mapZoom) map.zoom(mapZoom === "in" ? 1.6 : 1 / 1.6);
});
at("filter-level").addEventListener("change", ({ target }) => choose({ level: target.value || null }));
at("filter-reply").addEventListener("change", ({ target }) => choose({ reply: target.value || null }));
at("filter-words").addEventListener("input", ({ target }) => choose({ words: target.value.trim() || null }));
at("groups").tHead.addEventListener("click", (event) => {
  const column = event.target.closest("th")?.dataset.sort;
  if (!column) return;
  areas.turn(column);
  keepAddress();
});
map.addEventListener("enter", ({ detail }) => {
  const below = model.below(asked.area, detail);
  if (below) choose({ area: below.code });
});
map.addEventListener("leave", () => asked.area && choose({ area: model.path(asked.area).at(-2)?.code ?? null }));
map.names.nowhere = (n) => t("map.nowhere", { n: grouped(n) });
keepReminders(
  board.querySelector(".board-list"),
  model,
  () => absentIn(table.order).map((index) => model.points[index].id),
  (reminders) => {
    model.learnReminders(reminders);
    drawLists();
  },
);

// ---- a word about the point under the pointer -------------------------------------------------------------

const tip = at("point-tip");

function showTip(index, x, y) {
  const fact = model.points[index];
  const area = model.areaOf(fact);
  tip.replaceChildren(
    make("strong", "", fact.unitName),
    ...(area && area !== fact.unitName ? [make("span", "soft", area)] : []),
    make("span", `state state-${model.stateOf(index)}`, t(`state.${model.stateOf(index)}`)),
    make("span", "", lastWord(model, index)),
    make("span", "soft", [fact.technician, fact.phone].filter(Boolean).join(" · ")),
  );
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const left = Math.min(Math.max(8, x + 12), innerWidth - box.width - 8);
  const top = y + 16 + box.height > innerHeight ? y - box.height - 12 : y + 16;
  tip.style.transform = `translate(${Math.round(left)}px, ${Math.round(Math.max(8, top))}px)`;
}

const hideTip = () => {
  tip.hidden = true;
};
map.addEventListener("point", ({ detail }) => (detail ? showTip(detail.index, detail.x, detail.y) : hideTip()));
map.addEventListener("moved", hideTip);
at("tiles").addEventListener("pointerover", (event) => {
  const index = model.slot.get(Number(event.target.dataset?.point));
  if (index === undefined) hideTip();
  else showTip(index, event.clientX, event.clientY);
});
at("tiles").addEventListener("pointerleave", hideTip);
addEventListener("scroll", hideTip, { passive: true });

// ---- another instant -----------------------------------------------------------------------------------------

day.addEventListener("instant", ({ detail }) => {
  model.showInstant(detail?.at ?? null, detail?.frame);
  model.learnNotes({ notes: detail ? detail.frame.notes : island.notes });
  board.dataset.past = detail !== null;
  at("past-bar").hidden = detail === null;
  if (detail) write(at("past-bar").querySelector("[data-past-text]"), t("day.past", { time: clockTime(detail.at) }));
  else notesSoon();
  keepAddress();
  redraw();
});
at("past-now").addEventListener("click", () => day.go(null));

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
keepHall(at("hall-button"), address);
line.open();
await learnRoster();
known = model.points.length > 0;
if (asked.area && !model.units.has(asked.area)) asked.area = null;
model.takeSnapshot();
choose({ anew: true, area: asked.area }, false);
if (line.points.size) redraw();
board.dataset.ready = "true";
await Promise.all([
  map.form().then((formed) => {
    board.querySelector(".board-map").hidden = !formed;
    if (formed) map.show(asked.area, false);
  }),
  day.learn().then(() => since && !Number.isNaN(Date.parse(since)) && day.go(new Date(since))),
]);
board.dataset.ready = "drawn";
