// What is written and drawn over the cells of the map: borders, names with figures, both on layers that
// are kept until the view or the figures change.

const APART = 3; // px between two names
const POINT_NAMES = 46; // px: narrower cells have no name

export class Ink {
  #lines = null;
  #words = null;

  /** Borders and coast of a view. */
  drawLines(shape, view, size, colours) {
    const layer = blank(view, size);
    const { pen } = layer;
    const draw = (segments, width, alpha) => {
      pen.beginPath();
      for (let n = 0; n < segments.length; n += 4) {
        const x1 = segments[n] * view.zoom + view.x;
        const y1 = segments[n + 1] * view.zoom + view.y;
        const x2 = segments[n + 2] * view.zoom + view.x;
        const y2 = segments[n + 3] * view.zoom + view.y;
        if (Math.max(x1, x2) < 0 || Math.max(y1, y2) < 0 || Math.min(x1, x2) > size.width || Math.min(y1, y2) > size.height) continue;
        pen.moveTo(x1, y1);
        pen.lineTo(x2, y2);
      }
      pen.globalAlpha = alpha;
      pen.lineWidth = width;
      pen.stroke();
    };
    pen.lineCap = "round";
    pen.strokeStyle = colours.ink;
    const closeness = view.zoom / Math.min(size.width, size.height);
    draw(shape.coast, 1, 0.35);
    if (closeness > 2.5 || shape.minors.length < 8000) draw(shape.minors, closeness > 6 ? 1.25 : 0.75, 0.5);
    draw(shape.majors, closeness > 2.5 ? 2 : 1.25, 0.75);
    this.#lines = layer;
    this.#words = null;
  }

  /** Names in their order, as many as find room: [{x, y, name, note, room}] in map units, `room` wide. */
  drawWords(names, view, size, colours) {
    const layer = blank(view, size);
    const { pen } = layer;
    if (this.#lines) pen.drawImage(this.#lines.canvas, 0, 0, size.width, size.height);
    const taken = [];
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.lineJoin = "round";
    for (const { x, y, name, note, room, heavy, kept } of names) {
      let [cx, cy] = [x * view.zoom + view.x, y * view.zoom + view.y];
      if (cx < 0 || cy < 0 || cx > size.width || cy > size.height) continue;
      const letter = (heavy ? 13 : 11) * size.letters;
      pen.font = `600 ${letter}px "Be Vietnam Pro", sans-serif`;
      const half = Math.max(pen.measureText(name).width, note ? pen.measureText(note).width : 0) / 2 + APART;
      if (room !== undefined && room * view.zoom < Math.min(POINT_NAMES, half * 1.2)) continue;
      // This one is moved into the picture where it would be cut.
      if (kept) [cx, cy] = [Math.min(cx, size.width - half - 1), Math.max(cy, letter)];
      const high = (note ? letter * 1.25 : letter * 0.7) + APART;
      const box = [cx - half, cy - high, cx + half, cy + high];
      if (box[0] < 0 || box[1] < 0 || box[2] > size.width || box[3] > size.height) continue;
      if (taken.some((other) => box[0] < other[2] && other[0] < box[2] && box[1] < other[3] && other[1] < box[3])) continue;
      taken.push(box);
      pen.lineWidth = 3.5;
      pen.strokeStyle = colours.paper;
      pen.fillStyle = colours.ink;
      const lines = note ? [[name, cy - letter * 0.62], [note, cy + letter * 0.62]] : [[name, cy]];
      for (const [text, at] of lines) {
        pen.globalAlpha = 0.85;
        pen.strokeText(text, cx, at);
        pen.globalAlpha = 1;
        pen.fillText(text, cx, at);
      }
    }
    this.#words = layer;
  }

  /** What is to be laid over the cells, or null. */
  get layer() {
    return this.#words ?? this.#lines;
  }
}

function blank(view, size) {
  const canvas = new OffscreenCanvas(Math.round(size.width * size.ratio), Math.round(size.height * size.ratio));
  const pen = canvas.getContext("2d");
  pen.setTransform(size.ratio, 0, 0, size.ratio, 0, 0);
  return { canvas, pen, view: { ...view }, size };
}
