// The list of points: however many there are, only the rows that are seen are in the page.
import { callLink, lastWord, make } from "./board-lists.js";
import { clockTime, shortMoment, t } from "./i18n.js";

const AHEAD = 8; // rows kept above and below what is seen
const AGAIN_AFTER = 10 * 60_000; // as `rooms/reminders.py` has it

export class PointTable {
  /** Indices of the points listed, in their order. */
  order = [];
  #model;
  #region;
  #body;
  #before;
  #after;
  #rows = new Map();
  #height = 0;
  #asked = false;
  // Kept, because asking the page for them lays it out.
  #top = 0;
  #seen = 0;

  constructor(section, model) {
    this.#model = model;
    this.#region = section.querySelector("#list-scroll");
    this.#body = section.querySelector("#list-rows");
    this.#before = section.querySelector("#list-before");
    this.#after = section.querySelector("#list-after");
    this.#region.addEventListener(
      "scroll",
      () => {
        this.#top = this.#region.scrollTop;
        this.#soon();
      },
      { passive: true },
    );
    new ResizeObserver(() => {
      this.#height = 0;
      this.#seen = this.#region.clientHeight;
      this.#soon();
    }).observe(this.#region);
  }

  /** List these; `anew` goes back to the top. */
  list(order, anew = false) {
    this.order = order;
    if (anew) this.#region.scrollTop = this.#top = 0;
    this.draw();
  }

  #soon() {
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame(() => {
      this.#asked = false;
      this.draw();
    });
  }

  draw() {
    const { order } = this;
    if (!this.#height && order.length) {
      this.#body.replaceChildren(this.#row(order[0]));
      this.#height = this.#body.firstElementChild.getBoundingClientRect().height;
    }
    const seen = this.#height ? Math.ceil(this.#seen / this.#height) : AHEAD;
    const first = Math.max(0, Math.min(order.length - seen, Math.floor(this.#top / (this.#height || 1))) - AHEAD);
    const last = Math.min(order.length, first + seen + 2 * AHEAD);
    const rows = [];
    for (let place = first; place < last; place += 1) {
      const row = this.#row(order[place]);
      row.ariaRowIndex = place + 2;
      rows.push(row);
    }
    // Rows that stay are moved, not made anew, so that focus and selection survive a change.
    if (rows.length !== this.#body.children.length || rows.some((row, n) => this.#body.children[n] !== row)) this.#body.replaceChildren(...rows);
    this.#before.style.height = `${first * this.#height}px`;
    this.#after.style.height = `${(order.length - last) * this.#height}px`;
    this.#region.querySelector("table").ariaRowCount = order.length + 1;
    const shown = new Set(order.slice(first, last));
    for (const index of this.#rows.keys()) if (!shown.has(index)) this.#rows.delete(index);
  }

  #row(index) {
    const fact = this.#model.points[index];
    const state = this.#model.stateOf(index);
    const word = lastWord(this.#model, index);
    const reminded = this.#model.reminders.get(fact.id);
    const lately = reminded && Date.now() - reminded.at < AGAIN_AFTER;
    const key = `${state}|${word}|${reminded?.at ?? ""}|${lately}|${this.#model.instant !== null}`;
    let row = this.#rows.get(index);
    if (!row) {
      row = make("tr");
      row.dataset.point = fact.id;
      const area = this.#model.areaOf(fact);
      const name = make("th", "", make("span", "clip", fact.unitName), area && area !== fact.unitName ? make("span", "soft row-area clip", area) : null);
      name.scope = "row";
      name.title = [fact.unitName, area, fact.name].filter(Boolean).join(" · ");
      row.append(name, cell("list.state"), cell("list.word"), cell("list.phone", make("span", "clip", fact.technician ? `${fact.technician} ` : ""), callLink(fact.phone)), cell("list.reminder"));
      this.#rows.set(index, row);
    }
    if (row.dataset.key !== key) {
      row.dataset.key = key;
      row.children[1].replaceChildren(make("span", `state state-${state}`, t(`state.${state}`)));
      row.children[2].replaceChildren(make("span", "two-lines", word));
      row.children[2].title = word;
      row.children[4].replaceChildren(...this.#reminder(fact, state, reminded, lately));
    }
    return row;
  }

  #reminder(fact, state, reminded, lately) {
    const parts = [];
    if (reminded) {
      const said = make("span", "soft small clip", t(reminded.times > 1 ? "remind.times" : "remind.once", { time: shortMoment(reminded.at), by: reminded.by, n: reminded.times }));
      said.title = `${clockTime(reminded.at)} ${reminded.by}`;
      parts.push(said);
    }
    const may = this.#model.island.may_remind && this.#model.instant === null && !["present", "late", "needs_help"].includes(state);
    if (may && !lately) {
      const button = make("button", "btn btn-sm", t("remind.one"));
      button.type = "button";
      button.dataset.remind = fact.id;
      button.setAttribute("aria-label", t("remind.one_of", { name: fact.unitName }));
      parts.push(button);
    }
    return parts;
  }
}

function cell(key, ...children) {
  const made = make("td", "", ...children);
  made.dataset.label = t(key);
  return made;
}
