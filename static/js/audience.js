// The audience: a tree with three-state boxes over rules that are kept in order.
// Rules are the objects of the API: {"include": "level", "level": "ward", "under": "006"}, and so on.
import { t } from "./i18n.js";

const SHOWN_RESULTS = 60;
const MOST_TIDIED = 40; // rules beyond that are kept as they are

/** Vietnamese without its marks, as the server folds it. */
export const fold = (text) =>
  text.normalize("NFD").replace(/\p{Mn}/gu, "").replace(/[đĐ]/g, "d").toLowerCase();

export class Tree {
  constructor({ levels, units }) {
    this.levels = levels;
    this.units = units.map(([code, parent, level, name, folded], index) => ({ code, parent, level, name, folded, index, children: [] }));
    this.byCode = new Map(this.units.map((unit) => [unit.code, unit]));
    this.roots = [];
    for (const unit of this.units) (unit.parent < 0 ? this.roots : this.units[unit.parent].children).push(unit);
  }

  below(unit, found = []) {
    for (const child of unit.children) {
      found.push(child);
      this.below(child, found);
    }
    return found;
  }

  levelIndex(level) {
    return this.levels.findIndex(([key]) => key === level);
  }

  named(rule) {
    const by = rule.include ?? rule.exclude;
    if (by === "level") {
      const under = rule.under ? this.byCode.get(rule.under) : null;
      if (rule.under && !under) return [];
      const reach = under ? [under, ...this.below(under)] : this.units;
      const level = this.levelIndex(rule.level);
      return reach.filter((unit) => unit.level === level);
    }
    const unit = this.byCode.get(rule.unit);
    if (!unit) return [];
    if (by === "children") return unit.children;
    if (by === "subtree") return [unit, ...this.below(unit)];
    return by === "unit" ? [unit] : [];
  }

  /** One byte per unit: whether the rules, applied in their order, invite it. */
  resolve(rules) {
    const chosen = new Uint8Array(this.units.length);
    for (const rule of rules) for (const unit of this.named(rule)) chosen[unit.index] = "include" in rule ? 1 : 0;
    return chosen;
  }

  /** The same choice with fewer rules: each is left out whose absence changes nothing. */
  tidy(rules) {
    if (rules.length > MOST_TIDIED) return rules;
    const wanted = this.resolve(rules);
    let kept = rules;
    for (const rule of rules) {
      if ((rule.include ?? rule.exclude) === "point") continue;
      const rest = kept.filter((other) => other !== rule);
      if (this.resolve(rest).every((value, index) => value === wanted[index])) kept = rest;
    }
    return kept;
  }
}

export class AudienceTree {
  /** `changed(rules)` is told of every change a person makes. */
  constructor(place, search, tree, rules, changed) {
    Object.assign(this, { place, search, tree, rules, changed });
    this.opened = new Set(tree.roots.length === 1 ? [tree.roots[0].code] : []);
    place.addEventListener("change", (event) => this.toggle(event.target));
    place.addEventListener("click", (event) => {
      const button = event.target.closest("[data-branch]");
      if (button) this.unfold(button.dataset.branch);
    });
    search.addEventListener("input", (event) => {
      event.stopPropagation(); // looking for a unit is no change of the meeting
      this.draw();
    });
    search.addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.preventDefault();
    });
    this.draw();
  }

  set(rules) {
    this.rules = rules;
    this.mark();
  }

  /** Another day's units; the rules stay as they were said. */
  show(tree) {
    this.tree = tree;
    this.opened = new Set(tree.roots.length === 1 ? [tree.roots[0].code] : []);
    this.draw();
  }

  add(rule) {
    this.rules = this.tree.tidy([...this.rules, rule]);
    this.mark();
    this.changed(this.rules);
  }

  remove(index) {
    this.rules = this.rules.filter((_, place) => place !== index);
    this.mark();
    this.changed(this.rules);
  }

  clear() {
    this.rules = [];
    this.mark();
    this.changed(this.rules);
  }

  toggle(box) {
    if (!box.dataset.rule) return;
    const { by, ...fields } = JSON.parse(box.dataset.rule);
    this.add({ [box.checked ? "include" : "exclude"]: by, ...fields });
  }

  unfold(branch) {
    // "-branch" remembers that a person has closed what opens by itself.
    if (this.opened.delete(branch)) this.opened.add(`-${branch}`);
    else {
      this.opened.delete(`-${branch}`);
      this.opened.add(branch);
    }
    this.draw();
    this.place.querySelector(`[data-branch="${CSS.escape(branch)}"]`)?.focus();
  }

  draw() {
    const words = fold(this.search.value).split(/\s+/).filter(Boolean);
    const list = document.createElement("ul");
    if (words.length) {
      const found = this.tree.units.filter((unit) => words.every((word) => unit.folded.includes(word)));
      const note = document.createElement("p");
      note.className = "soft small";
      note.setAttribute("role", "status");
      note.textContent = found.length ? t("tree.found", { n: found.length }) : t("tree.none");
      for (const unit of found.slice(0, SHOWN_RESULTS)) list.append(this.unitLine(unit, true));
      this.place.replaceChildren(note, list);
    } else {
      for (const root of this.tree.roots) list.append(this.unitLine(root));
      this.place.replaceChildren(list);
    }
    this.mark();
  }

  line(branch, name, rule, members, note) {
    const item = document.createElement("li");
    const row = document.createElement("div");
    row.className = "tree-row";
    const open = branch && this.opened.has(branch);
    if (branch) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "tree-toggle";
      button.dataset.branch = branch;
      button.setAttribute("aria-expanded", String(open));
      button.setAttribute("aria-label", t(open ? "tree.close" : "tree.open", { unit: name }));
      row.append(button);
    } else {
      const gap = document.createElement("span");
      gap.className = "tree-gap";
      row.append(gap);
    }
    const label = document.createElement("label");
    const box = document.createElement("input");
    const text = document.createElement("span");
    box.type = "checkbox";
    box.dataset.rule = JSON.stringify(rule);
    box.members = members;
    text.append(name);
    label.append(box, text);
    row.append(label);
    if (note) {
      const small = document.createElement("span");
      small.className = "soft small";
      small.textContent = note;
      row.append(small);
    }
    item.append(row);
    return [item, open, row];
  }

  unitLine(unit, flat = false) {
    const parent = unit.parent >= 0 ? this.tree.units[unit.parent] : null;
    const branch = unit.children.length ? unit.code : "";
    const [item, open, row] = this.line(branch, unit.name, { by: "unit", unit: unit.code }, [unit], flat && parent ? parent.name : "");
    if (branch) this.counter(row, this.tree.below(unit));
    if (open) {
      const list = document.createElement("ul");
      const levels = [...new Set(unit.children.map((child) => child.level))];
      for (const level of levels) list.append(this.levelLine(unit, level));
      item.append(list);
    }
    return item;
  }

  levelLine(unit, level) {
    const [key, word] = this.tree.levels[level];
    const members = unit.children.filter((child) => child.level === level);
    const rule = { by: "level", level: key };
    if (unit.parent >= 0 || this.tree.roots.length > 1) rule.under = unit.code;
    const branch = `${unit.code}/${key}`;
    // Below a district there is one list: it opens with the district.
    if (unit.parent >= 0 && !this.opened.has(`-${branch}`)) this.opened.add(branch);
    const [item, open, row] = this.line(branch, t("tree.all", { level: word }), rule, members);
    this.counter(row, members);
    if (open) {
      const list = document.createElement("ul");
      for (const child of members) list.append(this.unitLine(child));
      item.append(list);
    }
    return item;
  }

  counter(row, members) {
    const count = document.createElement("span");
    count.className = "soft small tree-count";
    count.members = members;
    row.append(count);
  }

  /** Brings every box and count that is drawn to what the rules say. */
  mark() {
    const chosen = this.tree.resolve(this.rules);
    const number = (members) => members.reduce((sum, unit) => sum + chosen[unit.index], 0);
    for (const box of this.place.querySelectorAll("input[type=checkbox]")) {
      const inside = number(box.members);
      box.checked = inside > 0 && inside === box.members.length;
      box.indeterminate = inside > 0 && inside < box.members.length;
    }
    for (const count of this.place.querySelectorAll(".tree-count")) {
      const inside = number(count.members);
      count.textContent = inside ? t("tree.count", { chosen: inside, all: count.members.length }) : `${count.members.length}`;
    }
  }
}
