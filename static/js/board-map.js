// The map of the board: what part of it is shown, what is pointed at, and when what is drawn.
// Nothing is fetched from elsewhere; what hands do with it stands in `board-hands.js`.

import { Ink } from "./board-ink.js";
import { STATES } from "./board-model.js";
import { MapNames } from "./board-names.js";
import { hearHands } from "./board-hands.js";
import { CellPainter, lay, layPart } from "./board-paint.js";

const CLOSEST = 600; // times the whole
const REST = 140; // ms without movement before the view is painted anew
const FRESH = 4000; // ms: edges blend a little each time a cell is painted over
const WORDS_EVERY = 1000;
const PULSE = 1300;
const MOST_PULSES = 16;
const MOST_BOXES = 150;
const GLIDE = 320;
const AGAIN = 3000;
const CALM = matchMedia("(prefers-reduced-motion: reduce)");

export class BoardMap extends EventTarget {
  #canvas;
  #model;
  #painter;
  #ink = new Ink();
  #view = { zoom: 1, x: 0, y: 0 };
  #fitted = null;
  #size = { width: 0, height: 0, ratio: 1, letters: 1 };
  #colours = {};
  #waiting = new Set();
  #pulses = new Map();
  #frameAsked = false;
  #movedAt = 0;
  #paintedAt = 0;
  #wornAt = Infinity;
  #wordsAt = 0;
  #linesFor = "";
  #glide = null;
  #later = null;
  #dirty = [];
  #wholly = true;
  #current = null;
  #focus = null;

  /** Events: "point" ({index, x, y} in page pixels, or null), "enter" (index), "leave", "moved". */
  constructor(canvas, model) {
    super();
    this.#canvas = canvas;
    this.#model = model;
    this.#painter = new CellPainter(model);
    this.names = new MapNames(model);
    new ResizeObserver(() => this.#measure()).observe(canvas.parentElement);
    // The theme can change while the board hangs on the wall.
    new MutationObserver(() => this.#readColours()).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
    hearHands(canvas, this);
  }

  /** Work out the shape beside the page; false where there is nothing to show. */
  async form() {
    const { points, units } = this.#model;
    if (!points.length) return false;
    const numbers = new Map([...units.keys()].map((code, number) => [code, number]));
    const ways = points.map((fact) => this.#model.path(fact.unit));
    const shape = await inWorker(() => ({
      lat: Float64Array.from(points, ({ lat }) => lat ?? NaN),
      lon: Float64Array.from(points, ({ lon }) => lon ?? NaN),
      major: Int32Array.from(ways, (way) => numbers.get(way[0]?.code) ?? -1),
      minor: Int32Array.from(ways, (way) => numbers.get(way.findLast(({ inner }) => inner)?.code) ?? -1),
    }));
    this.#painter.shape = shape;
    this.names.gather(ways, shape);
    this.#measure();
    return true;
  }

  // ---- what is shown -------------------------------------------------------------------------------

  /** Show a unit with all below it, or everything. */
  show(code, glide = true) {
    this.#focus = code;
    const { shape } = this.#painter;
    const { width, height } = this.#size;
    if (!shape || !width) return;
    const whole = this.#fit(shape.box);
    const view = code ? this.#fit(this.#boxOf(code) ?? shape.box) : whole;
    this.#fitted = whole.zoom;
    if (glide && !CALM.matches && this.#painter.view) this.#glide = { from: { ...this.#view }, to: view, begun: performance.now() };
    else {
      this.#glide = null;
      this.#view = view;
      this.#moved(true);
    }
    this.draw();
  }

  #boxOf(code) {
    const area = this.names.areas.get(code);
    if (area) return area;
    const index = this.#model.points.findIndex(({ unit }) => unit === code);
    if (index < 0) return null;
    const { x, y, spread } = this.#painter.shape;
    const half = spread[index] * 4;
    return { left: x[index] - half, right: x[index] + half, top: y[index] - half, bottom: y[index] + half };
  }

  #fit({ left, top, right, bottom }) {
    const { width, height } = this.#size;
    const zoom = 0.96 * Math.min(width / (right - left), height / (bottom - top));
    return { zoom, x: width / 2 - ((left + right) / 2) * zoom, y: height / 2 - ((top + bottom) / 2) * zoom };
  }

  zoom(factor, x = this.#size.width / 2, y = this.#size.height / 2) {
    const zoom = Math.min(this.#fitted * CLOSEST, Math.max(this.#fitted * 0.9, this.#view.zoom * factor));
    const scale = zoom / this.#view.zoom;
    this.#glide = null;
    this.#view = { zoom, x: x - (x - this.#view.x) * scale, y: y - (y - this.#view.y) * scale };
    this.#moved();
  }

  get whole() {
    return this.#view.zoom <= this.#fitted * 1.01;
  }

  #moved(at_once = false) {
    this.#movedAt = at_once ? -Infinity : performance.now();
    this.#canvas.style.touchAction = this.whole ? "pan-y" : "none";
    this.dispatchEvent(new CustomEvent("moved"));
    this.draw();
  }

  /** Only what the mask means stands out; null shows all alike. `anew`: it is another question. */
  only(mask, anew) {
    const before = this.#painter.mask;
    this.#painter.mask = mask;
    if (anew || !before || !mask) {
      this.repaint();
      return;
    }
    for (let index = 0; index < mask.length; index += 1) if (mask[index] !== before[index]) this.#waiting.add(index);
    this.draw();
  }

  /** Everything may have changed. */
  repaint() {
    this.#paintedAt = -Infinity;
    this.#wordsAt = -Infinity;
    this.draw();
  }

  /** These have changed. */
  change(indices) {
    const now = performance.now();
    const quiet = indices.length > MOST_PULSES;
    for (const index of indices) {
      this.#waiting.add(index);
      if (!quiet && !CALM.matches && !document.hidden) {
        this.#pulses.set(index, now);
        if (this.#pulses.size > MOST_PULSES) this.#pulses.delete(this.#pulses.keys().next().value);
      }
    }
    this.draw();
  }

  draw() {
    if (this.#frameAsked) return;
    this.#frameAsked = true;
    requestAnimationFrame((now) => {
      this.#frameAsked = false;
      this.#frame(now);
    });
  }

  #measure() {
    const frame = this.#canvas.parentElement.getBoundingClientRect();
    if (!frame.width || !frame.height) return;
    const ratio = Math.min(2, devicePixelRatio || 1);
    this.#canvas.width = Math.round(frame.width * ratio);
    this.#canvas.height = Math.round(frame.height * ratio);
    // Read from the last row of a hall, names need to be larger.
    const letters = document.documentElement.classList.contains("hall") ? Math.max(1.2, frame.height / 480) : 1;
    this.#size = { width: frame.width, height: frame.height, ratio, letters };
    this.#readColours();
    this.show(this.#focus, false);
    this.repaint();
  }

  #readColours() {
    const style = getComputedStyle(document.documentElement);
    const token = (name) => style.getPropertyValue(name).trim();
    this.#colours = { ink: token("--ink"), paper: token("--paper"), focus: token("--focus") };
    this.#painter.dark = document.documentElement.dataset.bsTheme === "dark";
    this.#painter.signInk = this.#painter.dark ? token("--ground") : token("--ink-soft");
    const states = Object.fromEntries(STATES.map((state) => [state, parts(token(`--state-${state.replace("_", "-")}-solid`))]));
    this.#painter.dye(states, parts(this.#colours.paper), parts(token("--ground")));
    this.#painter.paper = this.#colours.paper;
    this.#linesFor = "";
    this.repaint();
  }

  // ---- one frame -------------------------------------------------------------------------------------

  #frame(now) {
    const pen = this.#canvas.getContext("2d");
    const { width, height, ratio } = this.#size;
    if (!this.#painter.shape || !width) return;
    if (this.#glide) this.#advance(now);
    const resting = !this.#glide && now - this.#movedAt > REST;
    const renewed = resting && this.#renew(now);
    if (this.#painter.busy) this.#painter.step();
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const boxes = this.#dirty;
    this.#dirty = [];
    if (this.#waiting.size) {
      this.#painter.touch(this.#waiting);
      for (const index of this.#waiting) boxes.push(this.#boxAround(index, 2));
      this.#waiting.clear();
      if (this.#wornAt === Infinity) this.#wornAt = now;
    }
    // At rest only what has changed is drawn; a large screen is a lot to fill in each frame.
    const few = resting && !renewed && !this.#wholly && boxes.length < MOST_BOXES;
    this.#wholly = !resting || this.#painter.busy || renewed;
    if (few) this.#layBoxes(pen, boxes);
    else {
      pen.clearRect(0, 0, width, height);
      for (const layer of [this.#painter.layer, this.#ink.layer]) if (layer) lay(pen, layer, this.#view);
    }
    this.#drawPulses(pen, now);
    if (this.#current !== null) {
      this.#dirty.push(this.#boxAround(this.#current, 14));
      pen.strokeStyle = this.#colours.focus;
      pen.lineWidth = 3;
      pen.stroke(this.#painter.outline(this.#current, this.#view));
      this.#ring(pen, this.#current, 9);
    }
    if (this.#glide || !resting || this.#painter.busy || this.#pulses.size) this.draw();
    else if (this.#wornAt !== Infinity) {
      this.#later ??= setTimeout(() => {
        this.#later = null;
        this.draw();
      }, WORDS_EVERY);
    }
  }

  #layBoxes(pen, boxes) {
    const { width, height } = this.#size;
    for (const [left, top, right, bottom] of boxes) {
      const [x, y] = [Math.max(0, Math.floor(left)), Math.max(0, Math.floor(top))];
      const box = [x, y, Math.min(width, Math.ceil(right)) - x, Math.min(height, Math.ceil(bottom)) - y];
      if (box[2] <= 0 || box[3] <= 0) continue;
      pen.clearRect(...box);
      for (const layer of [this.#painter.layer, this.#ink.layer]) if (layer) layPart(pen, layer, box);
    }
  }

  /** The box of a cell on the canvas with a rim. */
  #boxAround(index, rim) {
    const { starts, corners } = this.#painter.shape;
    let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let n = starts[index]; n < starts[index + 1]; n += 2) {
      left = Math.min(left, corners[n]);
      right = Math.max(right, corners[n]);
      top = Math.min(top, corners[n + 1]);
      bottom = Math.max(bottom, corners[n + 1]);
    }
    const { zoom, x, y } = this.#view;
    return [left * zoom + x - rim, top * zoom + y - rim, right * zoom + x + rim, bottom * zoom + y + rim];
  }

  #advance(now) {
    const { from, to, begun } = this.#glide;
    const share = Math.min(1, (now - begun) / GLIDE);
    const eased = 1 - (1 - share) ** 3;
    // Zoom by factors and keep what lies in the middle on a straight way.
    const zoom = from.zoom * (to.zoom / from.zoom) ** eased;
    const t = to.zoom === from.zoom ? eased : (zoom - from.zoom) / (to.zoom - from.zoom);
    const mid = (view) => [(this.#size.width / 2 - view.x) / view.zoom, (this.#size.height / 2 - view.y) / view.zoom];
    const [[ax, ay], [bx, by]] = [mid(from), mid(to)];
    const sway = (a, b) => a + (b - a) * (to.zoom > from.zoom ? Math.min(1, 1.6 * t + eased * 0.4) : eased);
    this.#view = { zoom, x: this.#size.width / 2 - sway(ax, bx) * zoom, y: this.#size.height / 2 - sway(ay, by) * zoom };
    if (share === 1) {
      this.#view = to;
      this.#glide = null;
      this.#moved(true);
    }
  }

  /** Paint anew what no longer fits the view, or has been painted over often; whether there was any. */
  #renew(now) {
    let renewed = false;
    const at = JSON.stringify([this.#view, this.#size]);
    const outdated = JSON.stringify([this.#painter.view, this.#size]) !== at || this.#paintedAt === -Infinity;
    const worn = now - this.#wornAt > FRESH && now - this.#paintedAt > FRESH;
    if (!this.#painter.busy && (outdated || worn)) {
      this.#painter.begin(this.#view, this.#size);
      this.#paintedAt = now;
      this.#wornAt = Infinity;
      renewed = true;
    }
    if (this.#linesFor !== at) {
      this.#linesFor = at;
      this.#ink.drawLines(this.#painter.shape, this.#view, this.#size, this.#colours);
      this.#wordsAt = -Infinity;
    }
    if (now - this.#wordsAt > WORDS_EVERY) {
      this.#wordsAt = now;
      this.#ink.drawWords(this.names.of(this.#view, this.#size, this.#view.zoom / this.#fitted), this.#view, this.#size, this.#colours);
      renewed = true;
    }
    return renewed;
  }

  #drawPulses(pen, now) {
    for (const [index, begun] of this.#pulses) {
      const age = (now - begun) / PULSE;
      if (age >= 1) {
        this.#pulses.delete(index);
        continue;
      }
      this.#dirty.push(this.#boxAround(index, 26));
      pen.globalAlpha = 0.7 * (1 - age);
      pen.strokeStyle = this.#colours.ink;
      pen.lineWidth = 1.5;
      this.#ring(pen, index, 3 + 7 * age);
    }
    pen.globalAlpha = 1;
  }

  #ring(pen, index, least) {
    const { x, y, spread } = this.#painter.shape;
    pen.beginPath();
    pen.arc(x[index] * this.#view.zoom + this.#view.x, y[index] * this.#view.zoom + this.#view.y, Math.max(least, Math.min(22, spread[index] * this.#view.zoom * 0.5)), 0, 2 * Math.PI);
    pen.stroke();
  }

  // ---- pointing --------------------------------------------------------------------------------------

  get current() {
    return this.#current;
  }

  /** Move what is shown by so many pixels. */
  move(dx, dy) {
    this.#glide = null;
    this.#view = { ...this.#view, x: this.#view.x + dx, y: this.#view.y + dy };
    this.#moved();
  }

  /** Fit the area that is shown into the frame again. */
  fit() {
    this.show(this.#focus);
  }

  /** The point nearest to a place of the canvas, `within` pixels. */
  nearest(px, py, within) {
    const { shape } = this.#painter;
    if (!shape) return null;
    const [mx, my] = [(px - this.#view.x) / this.#view.zoom, (py - this.#view.y) / this.#view.zoom];
    let best = null;
    let least = Infinity;
    for (let index = 0; index < shape.x.length; index += 1) {
      const distance = (shape.x[index] - mx) ** 2 + (shape.y[index] - my) ** 2;
      if (distance < least) [best, least] = [index, distance];
    }
    const room = Math.max(within, best === null ? 0 : shape.spread[best] * this.#view.zoom * 0.8);
    return Math.sqrt(least) * this.#view.zoom <= room ? best : null;
  }

  /** Point at a point, or at none. */
  mean(index) {
    if (index === this.#current) return;
    this.#current = index;
    const frame = this.#canvas.getBoundingClientRect();
    const { x, y } = this.#painter.shape ?? {};
    const detail = index === null ? null : { index, x: frame.left + x[index] * this.#view.zoom + this.#view.x, y: frame.top + y[index] * this.#view.zoom + this.#view.y };
    this.dispatchEvent(new CustomEvent("point", { detail }));
    this.draw();
  }

  /** Point at the next one in a direction. */
  step([dx, dy]) {
    const { x, y } = this.#painter.shape;
    if (this.#current === null) {
      this.mean(this.nearest(this.#size.width / 2, this.#size.height / 2, Infinity));
      return;
    }
    let best = null;
    let least = Infinity;
    for (let index = 0; index < x.length; index += 1) {
      const along = (x[index] - x[this.#current]) * dx + (y[index] - y[this.#current]) * dy;
      if (along <= 0) continue;
      const aside = Math.abs((x[index] - x[this.#current]) * dy) + Math.abs((y[index] - y[this.#current]) * dx);
      if (along + 2 * aside < least) [best, least] = [index, along + 2 * aside];
    }
    if (best !== null) this.mean(best);
  }
}

/** Asks again where the worker's files could not be fetched: the network may be gone for a while. */
async function inWorker(question) {
  for (;;) {
    const shape = await new Promise((resolve) => {
      const worker = new Worker(new URL("./board-geometry-worker.js", import.meta.url), { type: "module" });
      const done = (found) => {
        worker.terminate();
        resolve(found);
      };
      worker.addEventListener("message", ({ data }) => done(data));
      worker.addEventListener("error", () => done(null));
      const asked = question();
      worker.postMessage(asked, Object.values(asked).map(({ buffer }) => buffer));
    });
    if (shape) return shape;
    await new Promise((resolve) => setTimeout(resolve, AGAIN));
  }
}

/** [r, g, b] of a colour as the tokens have it: #rrggbb or #rgb. */
function parts(token) {
  const hex = token.length === 4 ? [...token.slice(1)].map((digit) => digit + digit).join("") : token.slice(1);
  return [0, 2, 4].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
}
