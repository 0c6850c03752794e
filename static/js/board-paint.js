// Draws the cells of the board's map onto layers that are kept: a change repaints its own cell only, a
// new view is painted beside the old one, a part in each frame, and takes its place when it is complete.

import { STATES } from "./board-model.js";

const AS_SPOT = 3.2; // px: narrower cells are small rectangles
const AS_TILE = 9; // px: from here on cells have an edge
const WITH_SIGN = 17; // px: from here on they have the sign of their state
const LOAD = 9000; // of work in a frame: a rectangle is 1, a cell is 5, one with a sign 9
const SIGNS = { needs_help: "!", lost: "✕", late: "◑", present: "●", ready: "◐", left: "–", invited: "○" };
const NOWHERE = 255;

export class CellPainter {
  shape = null;
  mask = null;
  #model;
  #front = null;
  #back = null;
  #cursor = 0;
  #colours = [];
  #pale = [];
  #signs = new Map();

  constructor(model) {
    this.#model = model;
  }

  /** Colours by state, as `rgb` triples, and the paper they are drawn on. */
  dye(colours, paper, ground) {
    this.paper = paper;
    // Most are not there yet: those stay quiet, so that the others stand out.
    const quiet = { invited: 0.42, left: 0.6 };
    this.#colours = STATES.map((state) => mixed(colours[state], paper, quiet[state] ?? 1));
    this.#pale = STATES.map((state) => mixed(colours[state], ground, state === "invited" || state === "left" ? 0.08 : 0.2));
    this.#signs.clear();
  }

  get view() {
    return this.#front?.view ?? null;
  }

  get busy() {
    return this.#back !== null;
  }

  /** Begin to paint the whole at another view; `size` in CSS pixels with the ratio of the screen. */
  begin(view, size) {
    this.#back = { view: { ...view }, size, canvas: new OffscreenCanvas(Math.round(size.width * size.ratio), Math.round(size.height * size.ratio)) };
    this.#back.pen = this.#back.canvas.getContext("2d");
    this.#back.pen.setTransform(size.ratio, 0, 0, size.ratio, 0, 0);
    this.#cursor = 0;
    // Nothing is there yet: let it appear while it is painted.
    this.#front ??= this.#back;
  }

  /** Go on with it for a frame's share; true when it has become what is shown. */
  step() {
    if (!this.#back) return false;
    let work = 0;
    const count = this.shape.x.length;
    while (this.#cursor < count && work < LOAD) work += 0.1 + this.#cell(this.#back, this.#cursor++);
    if (this.#cursor < count) return false;
    this.#front = this.#back;
    this.#back = null;
    return true;
  }

  /** Paint these cells again. */
  touch(indices) {
    for (const index of indices) {
      if (this.#front) this.#cell(this.#front, index);
      if (this.#back && this.#back !== this.#front && index < this.#cursor) this.#cell(this.#back, index);
    }
  }

  /** The layer that is shown, or null. */
  get layer() {
    return this.#front;
  }

  /** The outline of a cell in a view, as a path. */
  outline(index, view) {
    const path = new Path2D();
    const { starts, corners } = this.shape;
    for (let n = starts[index]; n < starts[index + 1]; n += 2) path.lineTo(corners[n] * view.zoom + view.x, corners[n + 1] * view.zoom + view.y);
    path.closePath();
    return path;
  }

  #cell({ pen, view, size }, index) {
    const { shape } = this;
    const state = this.#model.states[index];
    if (state === NOWHERE) return 0;
    const wide = shape.spread[index] * view.zoom;
    const x = shape.x[index] * view.zoom + view.x;
    const y = shape.y[index] * view.zoom + view.y;
    const reach = wide * 2 + 2;
    if (x < -reach || y < -reach || x > size.width + reach || y > size.height + reach) return 0;
    const shown = !this.mask || this.mask[index];
    pen.fillStyle = (shown ? this.#colours : this.#pale)[state];
    if (wide < AS_SPOT) {
      const half = Math.max(0.6, wide * 0.56);
      pen.fillRect(x - half, y - half, 2 * half, 2 * half);
      return 1;
    }
    pen.beginPath();
    for (let n = shape.starts[index]; n < shape.starts[index + 1]; n += 2) pen.lineTo(shape.corners[n] * view.zoom + view.x, shape.corners[n + 1] * view.zoom + view.y);
    pen.closePath();
    pen.fill();
    if (wide < AS_TILE) return 5;
    pen.strokeStyle = this.paper;
    pen.lineWidth = 1;
    pen.stroke();
    if (wide < WITH_SIGN || !shown) return 6;
    const sign = this.#sign(state, Math.round(Math.min(26, wide * 0.55)), size.ratio);
    pen.drawImage(sign, x - sign.width / size.ratio / 2, y - sign.height / size.ratio / 2, sign.width / size.ratio, sign.height / size.ratio);
    return 9;
  }

  #sign(state, height, ratio) {
    const key = `${state}|${height}|${ratio}`;
    if (!this.#signs.has(key)) {
      const side = Math.ceil(height * 1.4 * ratio);
      const canvas = new OffscreenCanvas(side, side);
      const pen = canvas.getContext("2d");
      pen.font = `700 ${height * ratio}px "Be Vietnam Pro", sans-serif`;
      pen.textAlign = "center";
      pen.textBaseline = "middle";
      pen.fillStyle = this.ink(STATES[state]);
      pen.fillText(SIGNS[STATES[state]], side / 2, side / 2);
      this.#signs.set(key, canvas);
    }
    return this.#signs.get(key);
  }

  /** The colour in which a sign can be read on its cell. */
  ink(state) {
    return state === "invited" || state === "left" || this.dark ? this.signInk : "#fff";
  }
}

/** A kept layer, drawn as it lies in another view: sharp where both are the same.
 *
 * While one moves it is coarse, which costs a fraction of smoothing and is gone at rest.
 */
export function lay(pen, { canvas, view: painted, size }, view) {
  const scale = view.zoom / painted.zoom;
  pen.imageSmoothingEnabled = false;
  pen.drawImage(canvas, view.x - painted.x * scale, view.y - painted.y * scale, size.width * scale, size.height * scale);
}

/** A box of a kept layer that lies in the very view that is shown: [left, top, width, height]. */
export function layPart(pen, { canvas, size }, [left, top, width, height]) {
  const { ratio } = size;
  pen.drawImage(canvas, left * ratio, top * ratio, width * ratio, height * ratio, left, top, width, height);
}

/** A colour on a ground, `share` of it. Both as [r, g, b]. */
function mixed(colour, ground, share) {
  return `rgb(${colour.map((part, n) => Math.round(part * share + ground[n] * (1 - share))).join(" ")})`;
}
