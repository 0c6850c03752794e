// What the board knows: the points (facts that never change during a meeting, from the roster) and
// their states (from the live line), counted by state, level and group.

export const STATES = ["needs_help", "lost", "late", "present", "ready", "left", "invited"];
/** In a list, those first whom somebody has to call. */
const URGENCY = ["needs_help", "lost", "left", "invited", "ready", "late", "present"];
const THERE = new Set(["present", "late"]);

export const isThere = (state) => THERE.has(state);

const emptyCounts = () => ({ invited: 0, present: 0, late: 0, lost: 0, needs_help: 0 });

function count(counts, state) {
  counts.invited += 1;
  if (isThere(state)) counts.present += 1;
  if (state === "late" || state === "lost" || state === "needs_help") counts[state] += 1;
}

export class BoardModel {
  /** Point id → {id, name, unit, unitName, level, parent, lat, lon, technician, phone, reply, reason, delegate, group, area}. */
  points = new Map();
  notes = new Map();

  constructor(island, line) {
    this.island = island;
    this.line = line;
    this.learnNotes(island.notes);
  }

  /** `roster`: {point_columns, points}: rows, as in the live frames. */
  learn(roster) {
    const at = Object.fromEntries(roster.point_columns.map((name, index) => [name, index]));
    for (const row of roster.points) {
      const fact = {
        id: row[at.point],
        name: row[at.name],
        unit: row[at.unit],
        unitName: row[at.unit_name],
        level: row[at.level],
        parent: row[at.parent],
        lat: row[at.lat],
        lon: row[at.lon],
        technician: row[at.technician_name],
        phone: row[at.technician_phone],
        reply: row[at.reply],
        reason: row[at.reply_reason],
        delegate: row[at.delegate_name],
      };
      fact.group = this.groupOf(fact);
      fact.area = this.island.units[fact.group] ?? "";
      this.points.set(fact.id, fact);
    }
  }

  learnNotes(notes) {
    this.notes = new Map(Object.entries(notes).map(([id, [note, head]]) => [Number(id), { note, head }]));
  }

  /** The same rule as `groups_of` of the page: a unit right below the top, or the level. */
  groupOf({ unit, parent, level }) {
    const { tops, units } = this.island;
    if (!tops.includes(unit)) {
      if (unit in units) return unit;
      if (parent in units && !tops.includes(parent)) return parent;
    }
    return `level:${level}`;
  }

  groupName(key) {
    return key.startsWith("level:") ? (this.island.levels[key.slice(6)] ?? key.slice(6)) : this.island.units[key];
  }

  standing(id) {
    return this.line.points.get(id) ?? { state: "invited", since: null, headcount: null };
  }

  /** Everything that is counted, in one walk over the points. */
  count() {
    const totals = { all: 0, there: 0, people: 0, ...Object.fromEntries(STATES.map((state) => [state, 0])) };
    const levels = new Map();
    const groups = new Map();
    for (const [id, { state, headcount }] of this.line.points) {
      const fact = this.points.get(id);
      totals.all += 1;
      totals[state] += 1;
      if (isThere(state)) {
        totals.there += 1;
        totals.people += headcount ?? 0;
      }
      if (!fact) continue;
      if (!levels.has(fact.level)) levels.set(fact.level, emptyCounts());
      if (!groups.has(fact.group)) groups.set(fact.group, emptyCounts());
      count(levels.get(fact.level), state);
      count(groups.get(fact.group), state);
    }
    return { totals, levels, groups };
  }

  /** The points of a list ("absent", "present", "all", or a state), of one group or of all; the urgent first. */
  listed(kind, group = null) {
    const rows = [];
    for (const [id, standing] of this.line.points) {
      const fact = this.points.get(id);
      if (!fact || (group && fact.group !== group) || !belongs(kind, standing.state)) continue;
      rows.push({ fact, standing });
    }
    const urgency = (row) => URGENCY.indexOf(row.standing.state) * 2 - (row.fact.reply === "accepted" ? 1 : 0);
    return rows.sort((a, b) => urgency(a) - urgency(b));
  }
}

function belongs(kind, state) {
  if (kind === "all") return true;
  if (kind === "absent") return !isThere(state) && state !== "needs_help";
  if (kind === "present") return isThere(state);
  return state === kind;
}
