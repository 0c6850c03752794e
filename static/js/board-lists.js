// The lists of the board: requests for help on top, every point as a tile, and the table of points.
import { clockTime, t } from "./i18n.js";
import { icon } from "./messages.js";

const ROWS = matchMedia("(width < 40rem)").matches ? 12 : 50;
const ROWS_MORE = 240;
const PULSING = 1700;

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

/** What is known of a point beside its state: since when, how many, who leads, what was written or replied. */
export function lastWord(model, fact, { state, since, headcount }) {
  const said = model.notes.get(fact.id);
  const parts = [];
  if (since) parts.push(t("word.since", { time: clockTime(since) }));
  if (said?.note && ["lost", "needs_help", "left"].includes(state)) parts.push(`“${said.note}”`);
  if (headcount !== null && headcount !== undefined) parts.push(t("word.people", { n: headcount }));
  if (state === "invited") {
    parts.push(t(`reply.${fact.reply || "pending"}`) + (fact.reason ? `: “${fact.reason}”` : ""));
    if (fact.delegate) parts.push(t("reply.delegate", { name: fact.delegate }));
  }
  return parts.join(" · ");
}

/** Requests for help as cards, the longest waiting first. */
export function drawHelp(model, panel) {
  const waiting = model.listed("needs_help").sort((a, b) => a.standing.since - b.standing.since);
  panel.hidden = waiting.length === 0;
  panel.querySelector("[data-help-count]").textContent = waiting.length;
  const list = panel.querySelector("#help-list");
  list.replaceChildren(
    ...waiting.slice(0, 24).map(({ fact, standing }) => {
      const said = model.notes.get(fact.id);
      const card = make(
        "li",
        "help-card",
        make("div", "spread", make("strong", "", fact.unitName), standing.since && make("span", "soft nowrap", t("word.since", { time: clockTime(standing.since) }))),
        said?.note ? make("p", "help-note", said.note) : null,
        make("div", "row-line small", make("span", "soft", fact.area || fact.name), make("span", "soft", fact.technician), callLink(fact.phone)),
      );
      card.dataset.point = fact.id;
      return card;
    }),
  );
}

/** Every point as a small square, by group. */
export class Tiles {
  #box;
  #model;
  #tiles = new Map();
  #groups = new Map();

  constructor(box, model) {
    this.#box = box;
    this.#model = model;
  }

  build() {
    const order = new Map();
    for (const fact of this.#model.points.values()) {
      if (!order.has(fact.group)) order.set(fact.group, []);
      order.get(fact.group).push(fact);
    }
    this.#tiles.clear();
    this.#groups.clear();
    const blocks = [...order].map(([group, facts]) => {
      const picture = make("div", "tiles-box");
      picture.setAttribute("role", "img");
      for (const fact of facts) {
        const tile = make("i", "state-dot");
        tile.dataset.point = fact.id;
        this.#tiles.set(fact.id, tile);
        picture.append(tile);
      }
      const figure = make("span", "tile-figure");
      const head = make("div", "tile-head", make("span", "tile-name clip", this.#model.groupName(group)), figure);
      const block = make("div", "tile-group", head, picture);
      block.dataset.tileGroup = group;
      this.#groups.set(group, { block, figure, picture });
      return block;
    });
    this.#box.replaceChildren(...blocks);
    this.repaint(this.#tiles.keys());
  }

  repaint(ids) {
    for (const id of ids) {
      const tile = this.#tiles.get(id);
      const wanted = `state-dot state-${this.#model.standing(id).state}`;
      if (tile && tile.className !== wanted) tile.className = wanted;
    }
  }

  pulse(ids) {
    for (const id of ids) pulse(this.#tiles.get(id));
  }

  count(groups) {
    for (const [group, { block, figure, picture }] of this.#groups) {
      const { present = 0, invited = 0 } = groups.get(group) ?? {};
      const text = `${present}/${invited}`;
      if (figure.textContent === text) continue;
      figure.textContent = text;
      block.classList.toggle("complete", present === invited);
      picture.setAttribute("aria-label", t("tiles.group", { name: this.#model.groupName(group), present, invited }));
    }
  }

  only(group) {
    for (const [key, { block }] of this.#groups) block.classList.toggle("dimmed", group !== null && key !== group);
  }
}

export function pulse(element) {
  if (!element) return;
  element.classList.remove("just-changed");
  requestAnimationFrame(() => element.classList.add("just-changed"));
  setTimeout(() => element.classList.remove("just-changed"), PULSING);
}

/** The table of points: absent, present, all or one state; capped, with a button for more. */
export class PointTable {
  kind = "absent";
  group = null;
  #model;
  #section;
  #most = ROWS;
  #rows = new Map();

  constructor(section, model) {
    this.#section = section;
    this.#model = model;
    section.querySelector("#list-more").addEventListener("click", () => {
      this.#most += ROWS_MORE;
      this.draw();
    });
  }

  choose(kind, group) {
    this.kind = kind;
    this.group = group;
    this.#most = ROWS;
    this.draw();
  }

  draw() {
    const found = this.#model.listed(this.kind, this.group);
    const title = ["absent", "present", "all"].includes(this.kind) ? t(`list.${this.kind}`) : t(`state.${this.kind}`);
    this.#section.querySelector("[data-list-title]").textContent = title;
    this.#section.querySelector("[data-list-count]").textContent = found.length;
    const rows = found.slice(0, this.#most).map((row) => this.#row(row));
    const body = this.#section.querySelector("tbody");
    // Rows that stay are moved, not made anew, so that focus and selection survive a change.
    if (rows.length !== body.children.length || rows.some((row, index) => body.children[index] !== row)) body.replaceChildren(...rows);
    const shown = new Set(found.slice(0, this.#most).map(({ fact }) => fact.id));
    for (const id of [...this.#rows.keys()]) if (!shown.has(id)) this.#rows.delete(id);
    const rest = found.length - rows.length;
    this.#section.querySelector("[data-list-more]").textContent = rest > 0 ? t("list.rest", { n: rest }) : found.length ? "" : t("list.none");
    this.#section.querySelector("#list-more").hidden = rest <= 0;
  }

  #row({ fact, standing }) {
    const word = lastWord(this.#model, fact, standing);
    const key = `${standing.state}|${word}`;
    let row = this.#rows.get(fact.id);
    if (!row) {
      row = make("tr");
      row.dataset.point = fact.id;
      const name = make("th", "", make("span", "", fact.unitName), fact.area && fact.area !== fact.unitName ? make("span", "soft row-area", fact.area) : null);
      name.scope = "row";
      row.append(name, labelled("list.state"), labelled("list.word"), labelled("list.phone", make("span", "", fact.technician ? `${fact.technician} ` : "", callLink(fact.phone))));
      this.#rows.set(fact.id, row);
    }
    if (row.dataset.key !== key) {
      row.dataset.key = key;
      row.children[1].replaceChildren(make("span", `state state-${standing.state}`, t(`state.${standing.state}`)));
      row.children[2].replaceChildren(make("span", "", word));
    }
    return row;
  }
}

function labelled(key, ...children) {
  const cell = make("td", "", ...children);
  cell.dataset.label = t(key);
  return cell;
}

/** The filter by area as a chip that can be taken off. */
export function drawFilter(list, name, takeOff) {
  if (!name) {
    list.replaceChildren();
    return;
  }
  const button = make("button", "", icon("x"));
  button.type = "button";
  button.setAttribute("aria-label", t("list.unfilter", { name }));
  button.addEventListener("click", takeOff);
  list.replaceChildren(make("li", "chip", name, button));
}
