// The smaller lists of the board: requests for help on top, points as tiles, the areas with their figures.
import { clockTime, language, t } from "./i18n.js";
import { icon } from "./messages.js";

const PULSING = 1700;
const MOST_HELP = 24;
const MOST_PULSES = 6;
/** More tiles than this are no picture any more; the map then stands for them. */
const MOST_TILES = 1500;

const figures = new Intl.NumberFormat(language);
/** 31.097 */
export const grouped = (number) => figures.format(number);

/** An element with a class and children (text or elements). */
export function make(name, className = "", ...children) {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function callLink(phone) {
  if (!phone) return null;
  const link = make("a", "nowrap", phone);
  link.href = `tel:${phone.replace(/\s/g, "")}`;
  link.setAttribute("aria-label", t("tiles.call", { phone }));
  return link;
}

/** Writes text, or a number as the office writes it; true where it has changed. */
export function write(element, value) {
  const text = typeof value === "number" ? figures.format(value) : String(value);
  if (!element || element.textContent === text) return false;
  element.textContent = text;
  return true;
}

/** What is known of a point beside its state: since when, how many, who leads, what was written or replied. */
export function lastWord(model, index) {
  const fact = model.points[index];
  const state = model.stateOf(index);
  const said = model.notes.get(fact.id);
  const parts = [];
  if (!Number.isNaN(model.since[index])) parts.push(t("word.since", { time: clockTime(new Date(model.since[index])) }));
  if (said?.note && ["lost", "needs_help", "left"].includes(state)) parts.push(`“${said.note}”`);
  if (said?.video && ["lost", "left"].includes(state)) parts.push(t("word.video"));
  if (model.heads[index] >= 0) parts.push(t("word.people", { n: model.heads[index] }));
  if (state === "invited") {
    parts.push(t(`reply.${fact.reply}`) + (fact.reason ? `: “${fact.reason}”` : ""));
    if (fact.delegate) parts.push(t("reply.delegate", { name: fact.delegate }));
  }
  return parts.join(" · ");
}

/** Requests for help as cards, the longest waiting first. */
export function drawHelp(model, panel) {
  const waiting = model.waiting();
  panel.hidden = waiting.length === 0;
  write(panel.querySelector("[data-help-count]"), waiting.length);
  panel.querySelector("#help-list").replaceChildren(
    ...waiting.slice(0, MOST_HELP).map((index) => {
      const fact = model.points[index];
      const said = model.notes.get(fact.id);
      const since = t("word.since", { time: clockTime(new Date(model.since[index])) });
      const help = model.helps.get(fact.id);
      const name = make(help ? "a" : "strong", "strong", fact.unitName);
      if (help) name.href = `/help/${help.call}`;
      const card = make(
        "li",
        "help-card",
        make("div", "spread", name, make("span", "soft nowrap", since)),
        said?.note ? make("p", "help-note", said.note) : null,
        make("div", "row-line small", make("span", "soft", model.areaOf(fact) || fact.name), make("span", "soft", fact.technician), callLink(fact.phone)),
        help?.helper ? make("p", "help-taken small", t("help.taken", { name: help.helper })) : null,
      );
      card.dataset.point = fact.id;
      return card;
    }),
  );
}

/** Every point of the area that is shown as a small square; none where there are too many. */
export class Tiles {
  #panel;
  #model;
  #tiles = new Map();
  #groups = new Map();

  constructor(panel, model) {
    this.#panel = panel;
    this.#model = model;
  }

  build(focus) {
    const blocks = new Map();
    const { units, points } = this.#model;
    const unit = focus && units.get(focus);
    this.#tiles.clear();
    this.#groups.clear();
    const inside = [];
    points.forEach((fact, index) => {
      if (!unit || (fact.place >= unit.from && fact.place < unit.to)) inside.push(index);
    });
    this.#panel.hidden = inside.length > MOST_TILES;
    if (this.#panel.hidden) {
      this.#panel.querySelector("#tiles").replaceChildren();
      return;
    }
    for (const index of inside) {
      const fact = points[index];
      const below = this.#model.below(focus, index);
      const group = below?.inner ? below.code : `level:${fact.level}`;
      if (!blocks.has(group)) {
        const figure = make("span", "tile-figure");
        const name = below?.inner ? below.name : this.#model.levelName(fact.level);
        const picture = make("div", "tiles-box");
        picture.setAttribute("role", "img");
        picture.setAttribute("aria-label", name);
        const block = make("div", "tile-group", make("div", "tile-head", make("span", "tile-name clip", name), figure), picture);
        block.dataset.tileGroup = group;
        blocks.set(group, block);
        this.#groups.set(group, { block, figure, picture, name });
      }
      const tile = make("i", "state-dot");
      tile.dataset.point = fact.id;
      this.#tiles.set(index, tile);
      this.#groups.get(group).picture.append(tile);
    }
    this.#panel.querySelector("#tiles").replaceChildren(...blocks.values());
    this.repaint(this.#tiles.keys());
    this.count(this.#model.groups(focus));
  }

  repaint(indices) {
    for (const index of indices) {
      const tile = this.#tiles.get(index);
      const wanted = `state-dot state-${this.#model.stateOf(index)}`;
      if (tile && tile.className !== wanted) tile.className = wanted;
    }
  }

  repaintAll() {
    this.repaint(this.#tiles.keys());
  }

  pulse(indices) {
    if (indices.length > MOST_PULSES) return;
    for (const index of indices) pulse(this.#tiles.get(index));
  }

  /** `groups` as the model gives them. */
  count(groups) {
    for (const { key, counts } of groups) {
      const found = this.#groups.get(key);
      if (!found || !write(found.figure, `${grouped(counts.there)}/${grouped(counts.all)}`)) continue;
      found.block.classList.toggle("complete", counts.there === counts.all);
      found.picture.setAttribute("aria-label", t("tiles.group", { name: found.name, present: counts.there, invited: counts.all }));
    }
  }
}

export function pulse(element) {
  if (!element) return;
  element.classList.remove("just-changed");
  requestAnimationFrame(() => element.classList.add("just-changed"));
  setTimeout(() => element.classList.remove("just-changed"), PULSING);
}

/** The areas one level below what is shown, with their figures; sorted by a press on a column. */
export class GroupTable {
  #table;
  #model;
  #groups = [];
  #rows = new Map();
  /** `column-up`, `column-down`, or null: the order of the tree. */
  sorting = null;

  constructor(table, model) {
    this.#table = table;
    this.#model = model;
  }

  draw(groups, chosen) {
    this.#groups = groups;
    const keys = new Set(groups.map(({ key }) => key));
    for (const [key, row] of this.#rows) {
      if (keys.has(key)) continue;
      row.remove();
      this.#rows.delete(key);
    }
    for (const row of [...this.#table.tBodies[0].rows]) {
      const { group } = row.dataset;
      if (keys.has(group)) this.#rows.set(group, row);
      else row.remove();
    }
    const changed = [];
    for (const { key, name, counts } of groups) {
      if (!this.#rows.has(key)) this.#rows.set(key, this.#row(key, name));
      else if (this.#fill(this.#rows.get(key), counts)) changed.push(this.#rows.get(key));
      this.#fill(this.#rows.get(key), counts);
      this.#rows.get(key).querySelector("[data-filter-group]").setAttribute("aria-pressed", key === chosen);
    }
    // Where all are moving nothing stands out; then it stays quiet.
    if (changed.length <= MOST_PULSES) changed.forEach(pulse);
    this.#order();
  }

  #row(key, name) {
    const press = make("button", "link-button", name);
    press.type = "button";
    press.dataset.filterGroup = key;
    const head = make("th", "", press);
    head.scope = "row";
    const bar = make("progress", "bar bar-green");
    bar.setAttribute("aria-label", name);
    const number = (what) => {
      const cell = make("td", "num");
      cell.dataset.n = what;
      return cell;
    };
    const [present, invited] = [make("strong"), make("span")];
    present.dataset.n = "present";
    invited.dataset.n = "invited";
    const row = make("tr", "", head, make("td", "num", present, make("span", "soft", "/", invited)), make("td", "share-cell", bar), number("late"), number("lost"), number("needs_help"));
    row.dataset.group = key;
    return row;
  }

  /** True where the number of those present has changed. */
  #fill(row, counts) {
    let changed = false;
    for (const cell of row.querySelectorAll("[data-n]")) {
      const what = cell.dataset.n;
      const number = { present: counts.there, invited: counts.all }[what] ?? (counts[what] || "");
      if (write(cell, number) && what === "present") changed = true;
    }
    setBar(row.querySelector("progress"), counts);
    return changed;
  }

  #order() {
    // On the wall of a hall only the first rows are seen: those where most are missing.
    const hall = document.documentElement.classList.contains("hall");
    const [name, way] = (this.sorting ?? (hall ? "absent-down" : "")).split("-");
    for (const head of this.#table.tHead.rows[0].cells) {
      if (head.dataset.sort === name) head.setAttribute("aria-sort", way === "down" ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    const turn = way === "down" ? -1 : 1;
    const value = ({ name: called, counts }) => ({ name: called, share: counts.there / (counts.all || 1), present: counts.there, absent: counts.all - counts.there })[name] ?? counts[name];
    const compare = (a, b) => turn * (name === "name" ? value(a).localeCompare(value(b), "vi", { numeric: true }) : value(a) - value(b));
    const ordered = name ? [...this.#groups].sort(compare) : this.#groups;
    const rows = ordered.map(({ key }) => this.#rows.get(key));
    const body = this.#table.tBodies[0];
    if (rows.some((row, index) => body.rows[index] !== row)) body.append(...rows);
  }

  /** The next order for a press on a column: up, down, none, the more telling first. */
  turn(column) {
    const first = column === "name" || column === "share" ? "up" : "down";
    const second = first === "up" ? "down" : "up";
    this.sorting = this.sorting === `${column}-${first}` ? `${column}-${second}` : this.sorting === `${column}-${second}` ? null : `${column}-${first}`;
    this.#order();
  }
}

export function setBar(bar, { there, all }) {
  if (bar.value !== there) bar.value = there;
  if (bar.max !== (all || 1)) bar.max = all || 1;
}

/** What narrows the list, as chips that can be taken off: [{name, takeOff}]. */
export function drawChips(list, filters) {
  list.replaceChildren(
    ...filters.map(({ name, takeOff }) => {
      const button = make("button", "", icon("x"));
      button.type = "button";
      button.setAttribute("aria-label", t("list.unfilter", { name }));
      button.addEventListener("click", takeOff);
      return make("li", "chip", name, button);
    }),
  );
}
