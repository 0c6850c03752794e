// What the board knows: the units and points (from the roster, they do not change during a meeting),
// the state of each point (from the live line, or as it was at an instant), and the counts that follow.
//
// Points have an index, the order of the roster; what changes lies in typed arrays by that index, and
// a change moves the counts of the point's unit and of all above it, so that a nation costs no more
// than a district.

import { fold } from "./folding.js";

export const STATES = ["needs_help", "lost", "late", "present", "ready", "left", "invited"];
const CODE = new Map(STATES.map((state, code) => [state, code]));
/** In a list, those first whom somebody has to call. */
const URGENCY = ["needs_help", "lost", "left", "invited", "ready", "late", "present"].map((state) => CODE.get(state));
const HELP = CODE.get("needs_help");
/** A point of the roster that the line does not know (its invitation was withdrawn). */
const NOWHERE = 255;
const PEOPLE = STATES.length;
const WIDTH = STATES.length + 1;
const NOBODY = -1;

export const isThere = (state) => state === "present" || state === "late";
const there = [...STATES.map(isThere)];

/** A row of `WIDTH` numbers by name: each state, `all`, `there` (present or late), `people`. */
function spoken(numbers, at = 0) {
  const said = Object.fromEntries(STATES.map((state, code) => [state, numbers[at + code]]));
  const all = STATES.reduce((sum, _, code) => sum + numbers[at + code], 0);
  return { ...said, all, there: said.present + said.late, people: numbers[at + PEOPLE] };
}

export class BoardModel {
  /** By index: {id, name, unit, unitName, level, lat, lon, technician, phone, reply, reason, delegate, place}. */
  points = [];
  slot = new Map();
  /** Unit code → {code, name, level, parent, children, place, from, to, inner}. */
  units = new Map();
  notes = new Map();
  /** Point id → {call, helper}: who looks after a request for help. */
  helps = new Map();
  /** Point id → {at, by, times}: the last reminder. */
  reminders = new Map();
  states = new Uint8Array(0);
  since = new Float64Array(0);
  heads = new Int32Array(0);
  /** The instant that is shown, or null for now. */
  instant = null;
  #counts = new Int32Array(0);
  #above = new Int32Array(0);
  #levels = new Map();
  #totals = new Int32Array(WIDTH);
  #folded = null;

  constructor(island, line) {
    this.island = island;
    this.line = line;
    this.learnNotes(island);
  }

  /** `roster`: rows with named columns, as in the live frames. */
  learn(roster) {
    const names = (columns) => Object.fromEntries(columns.map((name, index) => [name, index]));
    const unitAt = names(roster.unit_columns);
    for (const row of roster.units) {
      const code = row[unitAt.unit];
      this.units.set(code, { code, name: row[unitAt.name], level: row[unitAt.level], parent: row[unitAt.parent], children: [], inner: false });
    }
    this.#arrange();
    const at = names(roster.point_columns);
    this.points = roster.points.map((row, index) => {
      this.slot.set(row[at.point], index);
      return {
        id: row[at.point],
        name: row[at.name],
        unit: row[at.unit],
        unitName: row[at.unit_name],
        level: row[at.level],
        lat: row[at.lat],
        lon: row[at.lon],
        technician: row[at.technician_name],
        phone: row[at.technician_phone],
        reply: row[at.reply] || "pending",
        reason: row[at.reply_reason],
        delegate: row[at.delegate_name],
        place: this.units.get(row[at.unit])?.place ?? NOBODY,
      };
    });
    this.states = new Uint8Array(this.points.length).fill(NOWHERE);
    this.since = new Float64Array(this.points.length).fill(NaN);
    this.heads = new Int32Array(this.points.length).fill(NOBODY);
  }

  /** Number the units so that everything below a unit lies between its `from` and `to`. */
  #arrange() {
    const roots = [];
    for (const unit of this.units.values()) {
      const parent = this.units.get(unit.parent);
      if (parent) {
        parent.children.push(unit);
        parent.inner = true;
      } else roots.push(unit);
    }
    this.#above = new Int32Array(this.units.size).fill(NOBODY);
    this.#counts = new Int32Array(this.units.size * WIDTH);
    let next = 0;
    const walk = (unit, parent) => {
      unit.place = unit.from = next;
      this.#above[next] = parent;
      next += 1;
      for (const child of unit.children) walk(child, unit.place);
      unit.to = next;
    };
    for (const root of roots) walk(root, NOBODY);
  }

  /** By point id: notes [note, head of delegation, told by the video system], reminders [at, by, times], helps [call, helper]. */
  learnNotes({ notes, reminders, helps }) {
    if (helps) this.helps = new Map(Object.entries(helps).map(([id, [call, helper]]) => [Number(id), { call, helper }]));
    this.notes = new Map(Object.entries(notes).map(([id, [note, head, video]]) => [Number(id), { note, head, video }]));
    if (reminders) this.learnReminders(reminders);
  }

  learnReminders(reminders) {
    for (const [id, [at, by, times]] of Object.entries(reminders)) this.reminders.set(Number(id), { at: new Date(at), by, times });
  }

  // ---- states ------------------------------------------------------------------------------------

  /** Everything as the line has it. */
  takeSnapshot() {
    if (this.instant) return;
    this.states.fill(NOWHERE);
    this.#recount();
    for (const [id, point] of this.line.points) this.#put(this.slot.get(id), point.state, point.since?.getTime(), point.headcount);
  }

  /** What has changed on the line: indices of the points. */
  takeChanges(ids) {
    const moved = [];
    if (this.instant) return moved;
    for (const id of ids) {
      const index = this.slot.get(id);
      const point = this.line.points.get(id);
      if (index === undefined || !point) continue;
      this.#put(index, point.state, point.since?.getTime(), point.headcount);
      moved.push(index);
    }
    return moved;
  }

  /** The board as it was: rows [point, state, since, headcount] of everyone invited then; null is now. */
  showInstant(instant, frame = null) {
    this.instant = instant;
    if (!instant) return this.takeSnapshot();
    this.states.fill(NOWHERE);
    this.#recount();
    for (const [id, state, since, headcount] of frame.points) this.#put(this.slot.get(id), state, since ? Date.parse(since) : NaN, headcount);
    return undefined;
  }

  #recount() {
    this.#counts.fill(0);
    this.#totals.fill(0);
    this.#levels.clear();
  }

  #put(index, state, since, headcount) {
    if (index === undefined) return;
    const code = CODE.get(state);
    const before = this.states[index];
    if (before !== NOWHERE) this.#count(index, before, -1);
    this.states[index] = code;
    this.since[index] = since ?? NaN;
    this.heads[index] = headcount ?? NOBODY;
    this.#count(index, code, 1);
  }

  #count(index, code, by) {
    const fact = this.points[index];
    const people = there[code] && this.heads[index] > 0 ? by * this.heads[index] : 0;
    for (let place = fact.place; place !== NOBODY; place = this.#above[place]) {
      this.#counts[place * WIDTH + code] += by;
      this.#counts[place * WIDTH + PEOPLE] += people;
    }
    let level = this.#levels.get(fact.level);
    if (!level) this.#levels.set(fact.level, (level = new Int32Array(WIDTH)));
    level[code] += by;
    this.#totals[code] += by;
    this.#totals[PEOPLE] += people;
  }

  stateOf(index) {
    return STATES[this.states[index]] ?? "invited";
  }

  // ---- counts --------------------------------------------------------------------------------------

  get totals() {
    return spoken(this.#totals);
  }

  countsOf(code) {
    const unit = this.units.get(code);
    return unit && spoken(this.#counts, unit.place * WIDTH);
  }

  /** Level → counts. */
  get levels() {
    return new Map([...this.#levels].map(([level, numbers]) => [level, spoken(numbers)]));
  }

  /** The units one level below, each with everything below it: [{key, name, unit, counts}].
   *
   * Units without any below stand together by level where others have some; the page does the same.
   */
  groups(focus = null) {
    const rows = [];
    const tops = focus ? [focus] : this.island.tops;
    const byLevel = new Map();
    const together = (level, numbers, at, sign = 1) => {
      if (!byLevel.has(level)) byLevel.set(level, new Int32Array(WIDTH));
      const sum = byLevel.get(level);
      for (let n = 0; n < WIDTH; n += 1) sum[n] += sign * numbers[at + n];
    };
    for (const top of tops.map((code) => this.units.get(code)).filter(Boolean)) {
      const mixed = top.children.some(({ inner }) => inner);
      together(top.level, this.#counts, top.place * WIDTH);
      for (const child of top.children) {
        const at = child.place * WIDTH;
        together(top.level, this.#counts, at, -1);
        if (child.inner || !mixed) rows.push({ key: child.code, name: child.name, unit: child, counts: spoken(this.#counts, at) });
        else together(child.level, this.#counts, at);
      }
    }
    const alone = [...byLevel].map(([level, numbers]) => ({ key: `level:${level}`, name: this.levelName(level), unit: null, level, counts: spoken(numbers) }));
    return [...alone, ...rows].filter(({ counts }) => counts.all > 0);
  }

  levelName(level) {
    return this.island.levels[level] ?? level;
  }

  /** From the top down to a unit, without the tops themselves. */
  path(code) {
    const way = [];
    for (let unit = this.units.get(code); unit && !this.island.tops.includes(unit.code); unit = this.units.get(unit.parent)) way.unshift(unit);
    return way;
  }

  /** The unit below the focus in which a point lies, for going one level deeper. */
  below(focus, index) {
    const way = this.path(this.points[index].unit);
    const depth = focus ? way.findIndex(({ code }) => code === focus) + 1 : 0;
    return way[depth] ?? null;
  }

  /** The name of the unit right above a point's own. */
  areaOf(fact) {
    const unit = this.units.get(fact.unit);
    const above = unit && !this.island.tops.includes(unit.code) && this.units.get(unit.parent);
    return above && !this.island.tops.includes(above.code) ? above.name : "";
  }

  // ---- finding ---------------------------------------------------------------------------------------

  /** Which points a filter means: {list, area, level, reply, words} → {mask by index, order: indices, the urgent first}. */
  found({ list, area, level, reply, words }) {
    const unit = area ? this.units.get(area) : null;
    const wanted = fold(words ?? "").split(/\s+/).filter(Boolean);
    if (wanted.length) this.#folded ??= this.points.map((fact) => this.#wordsOf(fact));
    const mask = new Uint8Array(this.points.length);
    const piles = URGENCY.map(() => [[], []]);
    for (let index = 0; index < this.points.length; index += 1) {
      const code = this.states[index];
      const fact = this.points[index];
      if (code === NOWHERE) continue;
      if (unit && (fact.place < unit.from || fact.place >= unit.to)) continue;
      if (level && fact.level !== level) continue;
      if (reply && fact.reply !== reply) continue;
      if (wanted.length && !wanted.every((word) => this.#folded[index].includes(word))) continue;
      const listed = belongs(list, code);
      // Who is absent is seen by the colour; a state that was asked for stands out alone.
      if (listed || ["absent", "present", "all"].includes(list)) mask[index] = 1;
      if (listed) piles[URGENCY.indexOf(code)][fact.reply === "accepted" ? 0 : 1].push(index);
    }
    return { mask, order: piles.flat(2) };
  }

  #wordsOf(fact) {
    const names = this.path(fact.unit).map(({ name }) => name);
    return fold([fact.unitName, fact.name, fact.unit, ...names, fact.technician, fact.phone?.replace(/\s/g, "")].join(" "));
  }

  /** Indices of the points that ask for help, the longest waiting first. */
  waiting() {
    const found = [];
    for (let index = 0; index < this.states.length; index += 1) if (this.states[index] === HELP) found.push(index);
    return found.sort((a, b) => this.since[a] - this.since[b]);
  }
}

function belongs(list, code) {
  if (list === "all") return true;
  if (list === "absent") return !there[code] && code !== HELP;
  if (list === "present") return there[code];
  return STATES[code] === list;
}
