// What has a name on the map, and where: areas with their figures, points where cells are wide.
import { grouped } from "./board-lists.js";

const MOST = 4000;
const WIDE = 60; // px: from here on a cell has room for a name

export class MapNames {
  /** Unit code → {unit, depth, count, x, y, left, top, right, bottom}, in map units. */
  areas = new Map();
  #model;
  #shape = null;

  constructor(model) {
    this.#model = model;
  }

  /** The words over the tray; the page sets them. */
  nowhere = (count) => String(count);

  /** Every unit with others below it: where its points lie. The tray counts for none of them. */
  gather(ways, shape) {
    this.#shape = shape;
    const { x, y, spread } = shape;
    ways.forEach((way, index) => {
      const { lat } = this.#model.points[index];
      if (lat === null) return;
      way.forEach((unit, depth) => {
        if (!unit.inner && depth) return;
        let area = this.areas.get(unit.code);
        if (!area) this.areas.set(unit.code, (area = { unit, depth, count: 0, x: 0, y: 0, left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity }));
        const half = spread[index] / 2;
        area.count += 1;
        area.x += x[index];
        area.y += y[index];
        area.left = Math.min(area.left, x[index] - half);
        area.right = Math.max(area.right, x[index] + half);
        area.top = Math.min(area.top, y[index] - half);
        area.bottom = Math.max(area.bottom, y[index] + half);
      });
    });
    for (const area of this.areas.values()) {
      area.x /= area.count;
      area.y /= area.count;
    }
  }

  /** Names for a view, the more important first; `closeness` is how many times the whole it shows. */
  of(view, size, closeness) {
    const names = [...this.areas.values()]
      .filter(({ unit }) => unit.inner)
      .sort((a, b) => a.depth - b.depth || b.count - a.count)
      .map((area) => {
        const counts = this.#model.countsOf(area.unit.code);
        return {
          x: area.x,
          y: area.y,
          name: this.#model.island.labels[area.unit.code] ?? area.unit.name,
          note: counts?.all ? `${grouped(counts.there)}/${grouped(counts.all)}` : "",
          room: area.depth || closeness > 1.5 ? area.right - area.left : undefined,
          heavy: area.depth === 0,
        };
      });
    const { tray, x, y, spread } = this.#shape;
    if (tray) names.unshift({ x: (tray.left + tray.right) / 2, y: tray.top - 14 / view.zoom, name: this.nowhere(tray.count), kept: true });
    const { width, height } = size;
    for (let index = 0; index < x.length && names.length < MOST; index += 1) {
      if (spread[index] * view.zoom < WIDE) continue;
      const [px, py] = [x[index] * view.zoom + view.x, y[index] * view.zoom + view.y];
      if (px < 0 || py < 0 || px > width || py > height) continue;
      const below = (0.3 * Math.min(80, spread[index] * view.zoom) + 6) / view.zoom;
      names.push({ x: x[index], y: y[index] + below, name: this.#model.points[index].unitName, room: spread[index] });
    }
    return names;
  }
}
