// The map of the board, drawn from the coordinates alone: nothing is fetched from elsewhere.
//
// Areas are those places that are nearest to a point of the area (a Voronoi picture on a raster), which
// is close enough to the real borders to be recognised. Each point has the sign of its state as well as
// its colour. Wheel or pinch zooms, dragging moves, arrow keys go from point to point.

const RASTER = 360;
const MARGIN = 0.01;
const REACH = 0.055; // of the map's diagonal: farther than that from any point nobody lives
const PULSE = 1600;
const CLOSEST = 24;
const CALM = matchMedia("(prefers-reduced-motion: reduce)");
const ORDER = ["invited", "left", "ready", "present", "late", "lost", "needs_help"];

export class BoardMap extends EventTarget {
  #canvas;
  #model;
  #places = [];
  #land = null;
  #labels = [];
  #view = { zoom: 1, x: 0, y: 0 };
  #size = { width: 0, height: 0, ratio: 1 };
  #pulses = new Map();
  #asked = false;
  #current = null;
  #only = null;
  #colours = {};
  #edge = 0;
  #whole = null;
  #part = "all";

  /** Events: "point" (detail {id, x, y} in page pixels, or null when none is meant), "choose" (detail id). */
  constructor(canvas, model) {
    super();
    this.#canvas = canvas;
    this.#model = model;
    new ResizeObserver(() => this.#measure()).observe(canvas.parentElement);
    // The theme can change while the board hangs on the wall.
    new MutationObserver(() => this.#readColours()).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.#grab(event));
    canvas.addEventListener("pointermove", (event) => this.#hover(event));
    canvas.addEventListener("pointerleave", () => this.#mean(null));
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => this.#mean(null));
  }

  /** Lay out the points; false where none has coordinates. */
  place() {
    const facts = [...this.#model.points.values()].filter(({ lat, lon }) => lat !== null && lon !== null);
    if (!facts.length) return false;
    const middle = facts.reduce((sum, { lat }) => sum + lat, 0) / facts.length;
    const squeeze = Math.cos((middle * Math.PI) / 180);
    const flat = facts.map(({ lat, lon }) => [lon * squeeze, -lat]);
    const [left, right] = reach(flat.map(([x]) => x));
    const [top, bottom] = reach(flat.map(([, y]) => y));
    const span = Math.max(right - left, bottom - top) || 1;
    this.#places = facts.map((fact, index) => ({
      id: fact.id,
      group: fact.group,
      area: this.#model.island.labels[fact.group] ?? "",
      x: (flat[index][0] - left) / span,
      y: (flat[index][1] - top) / span,
    }));
    this.extent = { width: (right - left) / span || 0.01, height: (bottom - top) / span || 0.01 };
    this.#edge = REACH * Math.hypot(this.extent.width, this.extent.height);
    this.#drawLand();
    this.#measure();
    return true;
  }

  /** Show everything, or the part in which the points stand closest. */
  show(part) {
    const { width, height } = this.#size;
    if (!width || !this.#places.length) return;
    const edge = this.#edge;
    const all = { left: -edge, top: -edge, right: this.extent.width + edge, bottom: this.extent.height + edge };
    const box = part === "centre" ? centre(this.#places) : all;
    const room = 1 - 2 * MARGIN;
    const zoom = Math.min((width * room) / (box.right - box.left), (height * room) / (box.bottom - box.top));
    this.#whole ??= zoom;
    if (part === "all") this.#whole = zoom;
    this.#view = {
      zoom,
      x: width / 2 - ((box.left + box.right) / 2) * zoom,
      y: height / 2 - ((box.top + box.bottom) / 2) * zoom,
    };
    this.#part = part;
    this.draw();
  }


  zoom(factor, x = this.#size.width / 2, y = this.#size.height / 2) {
    const zoom = Math.min(this.#whole * CLOSEST, Math.max(this.#whole * 0.8, this.#view.zoom * factor));
    const scale = zoom / this.#view.zoom;
    this.#view = { zoom, x: x - (x - this.#view.x) * scale, y: y - (y - this.#view.y) * scale };
    this.#part = null;
    this.draw();
  }

  /** Only the points of one group stand out; null shows all alike. */
  only(group) {
    this.#only = group;
    this.draw();
  }

  pulse(ids) {
    if (CALM.matches) return this.draw();
    const now = performance.now();
    for (const id of ids) this.#pulses.set(id, now);
    return this.draw();
  }

  draw() {
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame((now) => {
      this.#asked = false;
      this.#paint(now);
    });
  }

  #measure() {
    const frame = this.#canvas.parentElement.getBoundingClientRect();
    if (!frame.width || !frame.height) return;
    const ratio = devicePixelRatio || 1;
    this.#canvas.width = Math.round(frame.width * ratio);
    this.#canvas.height = Math.round(frame.height * ratio);
    this.#size = { width: frame.width, height: frame.height, ratio };
    this.#readColours();
    if (this.#part) this.show(this.#part);
    else this.draw();
  }

  #readColours() {
    const style = getComputedStyle(document.documentElement);
    const token = (name) => style.getPropertyValue(name).trim();
    this.#colours = Object.fromEntries(ORDER.map((s) => [s, token(`--state-${s.replace("_", "-")}-solid`)]));
    this.#colours.land = token("--ground");
    this.#colours.border = token("--line-strong");
    this.#colours.paper = token("--paper");
    this.#colours.ink = token("--ink");
    this.#colours.soft = token("--ink-soft");
    this.#colours.focus = token("--focus");
    this.draw();
  }

  /** The raster of areas, as two paths in map units: the land, and the borders between areas. */
  #drawLand() {
    const { width, height } = this.extent;
    const edge = this.#edge;
    const cell = (Math.max(width, height) + 2 * edge) / RASTER;
    const columns = Math.ceil((width + 2 * edge) / cell);
    const rows = Math.ceil((height + 2 * edge) / cell);
    const nearest = spread(this.#places, columns, rows, cell, edge);
    const names = [...new Set(this.#places.map(({ area, group }) => area || group))];
    const numbers = this.#places.map(({ area, group }) => names.indexOf(area || group));
    const areaOf = (column, row) => {
      if (column < 0 || row < 0 || column >= columns || row >= rows) return -1;
      const place = nearest[row * columns + column];
      return place < 0 ? -1 : numbers[place];
    };
    const land = new Path2D();
    const borders = new Path2D();
    const coast = new Path2D();
    for (let row = 0; row < rows; row += 1) {
      let from = -1;
      for (let column = 0; column <= columns; column += 1) {
        const here = areaOf(column, row);
        const x = column * cell - edge;
        const y = row * cell - edge;
        if (here >= 0 && from < 0) from = column;
        if (here < 0 && from >= 0) {
          land.rect(from * cell - edge, y, (column - from) * cell, cell * 1.05);
          from = -1;
        }
        const before = areaOf(column - 1, row);
        const above = areaOf(column, row - 1);
        if (here !== before) line(here < 0 || before < 0 ? coast : borders, x, y, x, y + cell);
        if (here !== above) line(here < 0 || above < 0 ? coast : borders, x, y, x + cell, y);
      }
    }
    this.#land = { land, borders, coast };
    this.#labels = labels(this.#places);
  }

  #paint(now) {
    const { width, height, ratio } = this.#size;
    const pen = this.#canvas.getContext("2d");
    if (!pen || !width || !this.#land) return;
    const { zoom, x, y } = this.#view;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.save();
    pen.translate(x, y);
    pen.scale(zoom, zoom);
    pen.fillStyle = this.#colours.land;
    pen.fill(this.#land.land);
    pen.lineCap = "round";
    pen.strokeStyle = this.#colours.border;
    pen.globalAlpha = 0.55;
    pen.lineWidth = 1 / zoom;
    pen.stroke(this.#land.borders);
    pen.globalAlpha = 0.9;
    pen.stroke(this.#land.coast);
    pen.restore();
    this.#paintPoints(pen, now);
    this.#paintLabels(pen);
    if (this.#pulses.size) this.draw();
  }

  /** Radius of a point in pixels: larger the closer one looks. */
  #radius() {
    const grown = this.#whole ? this.#view.zoom / this.#whole : 1;
    const small = this.#places.length > 3000 ? 1.6 : 3.4;
    return Math.min(9, small * grown ** 0.45);
  }

  #paintPoints(pen, now) {
    const radius = this.#radius();
    const byState = Map.groupBy(this.#places, ({ id }) => this.#model.standing(id).state);
    for (const state of ORDER) {
      for (const place of byState.get(state) ?? []) {
        const [x, y] = this.#at(place);
        if (x < -20 || y < -20 || x > this.#size.width + 20 || y > this.#size.height + 20) continue;
        const begun = this.#pulses.get(place.id);
        if (begun !== undefined) this.#paintPulse(pen, x, y, radius, (now - begun) / PULSE, place.id, state);
        pen.globalAlpha = this.#only && place.group !== this.#only ? 0.18 : 1;
        sign(pen, state, x, y, state === "needs_help" || state === "lost" ? radius * 1.5 : radius, this.#colours);
        if (place.id === this.#current) {
          pen.globalAlpha = 1;
          pen.strokeStyle = this.#colours.focus;
          pen.lineWidth = 2;
          ring(pen, x, y, radius * 1.5 + 3);
        }
      }
    }
    pen.globalAlpha = 1;
  }

  #paintPulse(pen, x, y, radius, age, id, state) {
    if (age >= 1) {
      this.#pulses.delete(id);
      return;
    }
    pen.globalAlpha = 0.8 * (1 - age);
    pen.strokeStyle = this.#colours[state];
    pen.lineWidth = 2;
    ring(pen, x, y, radius + 14 * age);
  }

  #paintLabels(pen) {
    const taken = [];
    pen.font = '600 11px "Be Vietnam Pro", sans-serif';
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.lineWidth = 3;
    pen.lineJoin = "round";
    for (const { name, x, y } of this.#labels) {
      const [cx, cy] = this.#at({ x, y });
      const half = pen.measureText(name).width / 2;
      const box = [cx - half, cy - 7, cx + half, cy + 7];
      if (box[0] < 0 || box[1] < 0 || box[2] > this.#size.width || box[3] > this.#size.height) continue;
      if (taken.some((other) => box[0] < other[2] && other[0] < box[2] && box[1] < other[3] && other[1] < box[3])) continue;
      taken.push(box);
      pen.strokeStyle = this.#colours.paper;
      pen.fillStyle = this.#colours.ink;
      pen.globalAlpha = 0.85;
      pen.strokeText(name, cx, cy);
      pen.globalAlpha = 1;
      pen.fillText(name, cx, cy);
    }
  }

  #at({ x, y }) {
    return [x * this.#view.zoom + this.#view.x, y * this.#view.zoom + this.#view.y];
  }

  #nearest(px, py, within) {
    let best = null;
    let least = within ** 2;
    for (const place of this.#places) {
      const [x, y] = this.#at(place);
      const distance = (x - px) ** 2 + (y - py) ** 2;
      if (distance < least) [best, least] = [place, distance];
    }
    return best;
  }

  #mean(place) {
    const id = place?.id ?? null;
    if (id === this.#current) return;
    this.#current = id;
    const frame = this.#canvas.getBoundingClientRect();
    const [x, y] = place ? this.#at(place) : [0, 0];
    this.dispatchEvent(new CustomEvent("point", { detail: place ? { id, x: frame.left + x, y: frame.top + y } : null }));
    this.draw();
  }

  #hover(event) {
    if (event.buttons) return;
    const frame = this.#canvas.getBoundingClientRect();
    this.#mean(this.#nearest(event.clientX - frame.left, event.clientY - frame.top, 12));
  }

  #wheel(event) {
    // The page must stay scrollable: a plain wheel moves the page, with Ctrl (or a pinch) it zooms.
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const frame = this.#canvas.getBoundingClientRect();
    this.zoom(Math.exp(-event.deltaY / 200), event.clientX - frame.left, event.clientY - frame.top);
  }

  #grab(event) {
    const start = { x: event.clientX, y: event.clientY, view: { ...this.#view } };
    const move = (now) => {
      if (Math.hypot(now.clientX - start.x, now.clientY - start.y) < 4) return;
      this.#part = null;
      this.#view = { ...start.view, x: start.view.x + now.clientX - start.x, y: start.view.y + now.clientY - start.y };
      this.draw();
    };
    const drop = (now) => {
      this.#canvas.removeEventListener("pointermove", move);
      if (Math.hypot(now.clientX - start.x, now.clientY - start.y) >= 4) return;
      const frame = this.#canvas.getBoundingClientRect();
      this.#mean(this.#nearest(now.clientX - frame.left, now.clientY - frame.top, 16));
    };
    if (event.pointerType !== "touch") this.#canvas.setPointerCapture(event.pointerId);
    this.#canvas.addEventListener("pointermove", move);
    this.#canvas.addEventListener("pointerup", drop, { once: true });
    this.#canvas.addEventListener("pointercancel", drop, { once: true });
  }

  #key(event) {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === "+" || event.key === "=") this.zoom(1.4);
    else if (event.key === "-") this.zoom(1 / 1.4);
    else if (event.key === "Escape") this.#mean(null);
    else if (way) this.#step(way);
    else return;
    event.preventDefault();
  }

  #step([dx, dy]) {
    const here = this.#places.find(({ id }) => id === this.#current);
    if (!here) {
      this.#mean(this.#nearest(this.#size.width / 2, this.#size.height / 2, Infinity));
      return;
    }
    let best = null;
    let least = Infinity;
    for (const place of this.#places) {
      const along = (place.x - here.x) * dx + (place.y - here.y) * dy;
      if (along <= 0) continue;
      const aside = Math.abs((place.x - here.x) * dy) + Math.abs((place.y - here.y) * dx);
      if (along + 2 * aside < least) [best, least] = [place, along + 2 * aside];
    }
    if (best) this.#mean(best);
  }
}

function reach(values) {
  let least = Infinity;
  let most = -Infinity;
  for (const value of values) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  return [least, most];
}

/** The box of the half of the points that stand closest to the densest place. */
function centre(places) {
  const near = (place, radius) => places.filter((other) => Math.hypot(other.x - place.x, other.y - place.y) < radius).length;
  const sample = places.filter((_, index) => index % Math.ceil(places.length / 400) === 0);
  const core = sample.reduce((best, place) => (near(place, 0.04) > near(best, 0.04) ? place : best), sample[0]);
  const sorted = [...places].sort((a, b) => Math.hypot(a.x - core.x, a.y - core.y) - Math.hypot(b.x - core.x, b.y - core.y));
  const inner = sorted.slice(0, Math.max(5, Math.floor(places.length * 0.33)));
  const [left, right] = reach(inner.map(({ x }) => x));
  const [top, bottom] = reach(inner.map(({ y }) => y));
  return { left, right: Math.max(right, left + 0.02), top, bottom: Math.max(bottom, top + 0.02) };
}

/** For each cell the index of the nearest place within the edge, or -1: two passes over the raster. */
function spread(places, columns, rows, cell, edge) {
  const nearest = new Int32Array(columns * rows).fill(-1);
  places.forEach(({ x, y }, index) => {
    nearest[Math.floor((y + edge) / cell) * columns + Math.floor((x + edge) / cell)] = index;
  });
  const away = (index, column, row) => {
    const dx = places[index].x + edge - (column + 0.5) * cell;
    const dy = places[index].y + edge - (row + 0.5) * cell;
    return dx * dx + dy * dy;
  };
  const limit = edge * edge * 0.9;
  const look = (column, row, steps) => {
    const here = row * columns + column;
    let least = nearest[here] < 0 ? limit : away(nearest[here], column, row);
    for (const [dx, dy] of steps) {
      const c = column + dx;
      const r = row + dy;
      if (c < 0 || r < 0 || c >= columns || r >= rows) continue;
      const candidate = nearest[r * columns + c];
      if (candidate < 0) continue;
      const distance = away(candidate, column, row);
      if (distance < least) {
        least = distance;
        nearest[here] = candidate;
      }
    }
  };
  const down = [[-1, 0], [-1, -1], [0, -1], [1, -1]];
  const up = [[1, 0], [1, 1], [0, 1], [-1, 1]];
  for (let pass = 0; pass < 2; pass += 1) {
    for (let row = 0; row < rows; row += 1) {
      for (let column = 0; column < columns; column += 1) look(column, row, down);
      for (let column = columns - 1; column >= 0; column -= 1) look(column, row, [[1, 0]]);
    }
    for (let row = rows - 1; row >= 0; row -= 1) {
      for (let column = columns - 1; column >= 0; column -= 1) look(column, row, up);
      for (let column = 0; column < columns; column += 1) look(column, row, [[-1, 0]]);
    }
  }
  return nearest;
}

/** A name in the middle of each area, the largest areas first. */
function labels(places) {
  const areas = Map.groupBy(places.filter(({ area }) => area), ({ area }) => area);
  return [...areas]
    .map(([name, members]) => ({
      name,
      weight: members.length,
      x: members.reduce((sum, { x }) => sum + x, 0) / members.length,
      y: members.reduce((sum, { y }) => sum + y, 0) / members.length,
    }))
    .sort((a, b) => b.weight - a.weight);
}

function line(path, x1, y1, x2, y2) {
  path.moveTo(x1, y1);
  path.lineTo(x2, y2);
}

function ring(pen, x, y, radius) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.stroke();
}

/** The sign of a state: each has a shape of its own, so that the map can be read without colour. */
function sign(pen, state, x, y, radius, colours) {
  const colour = colours[state];
  pen.fillStyle = colour;
  pen.strokeStyle = colour;
  pen.lineWidth = Math.max(1, radius / 3);
  if (state === "present") return disc(pen, x, y, radius);
  if (state === "invited") return ring(pen, x, y, radius * 0.75);
  if (state === "left") {
    pen.beginPath();
    line(pen, x - radius, y, x + radius, y);
    return pen.stroke();
  }
  if (state === "ready" || state === "late") {
    ring(pen, x, y, radius * 0.8);
    const turn = state === "ready" ? Math.PI / 2 : -Math.PI / 2;
    pen.beginPath();
    pen.arc(x, y, radius * 0.8, turn, turn + Math.PI);
    return pen.fill();
  }
  pen.lineWidth = Math.max(2, radius / 2.5);
  if (state === "lost") {
    pen.beginPath();
    line(pen, x - radius * 0.8, y - radius * 0.8, x + radius * 0.8, y + radius * 0.8);
    line(pen, x - radius * 0.8, y + radius * 0.8, x + radius * 0.8, y - radius * 0.8);
    return pen.stroke();
  }
  disc(pen, x, y, radius * 1.3);
  pen.fillStyle = "#fff";
  pen.font = `700 ${Math.round(radius * 2.2)}px "Be Vietnam Pro", sans-serif`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  return pen.fillText("!", x, y + radius * 0.1);
}

function disc(pen, x, y, radius) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fill();
}
