// The shape of the board's map, from coordinates alone: a cell for each point (all places nearer to it
// than to any other), borders between areas, a coast where nobody is near, and a tray of squares for
// those without coordinates. Nothing is drawn here; it runs in a worker (`board-geometry-worker.js`).
//
// Units: the map is 1 wide or high, whichever is more; y grows downwards.

import { Delaunay } from "../vendor/d3-delaunay-6.0.6/d3-delaunay.min.js";

const ARC = 16; // corners of the circle that ends a cell at the coast
const REACH = 2.2; // of the usual distance to a neighbour: farther than that is no land
const WIDEST = 0.05; // of the map's diagonal
const CIRCLE = Array.from({ length: ARC }, (_, k) => [Math.cos((2 * Math.PI * k) / ARC), Math.sin((2 * Math.PI * k) / ARC)]);

/**
 * `lat`, `lon`: degrees, NaN where unknown; `major`, `minor`: numbers of the areas a point lies in.
 * Gives {x, y, starts, corners (of the cells, one after the other), spread (the width of a cell),
 * coast, majors, minors (segments x1 y1 x2 y2), tray (its box, or null), width, height}.
 */
export function geometryOf({ lat, lon, major, minor }) {
  const count = lat.length;
  const known = [];
  const lost = [];
  for (let index = 0; index < count; index += 1) (Number.isNaN(lat[index]) ? lost : known).push(index);
  const x = new Float32Array(count);
  const y = new Float32Array(count);
  const size = place(known, lat, lon, x, y);
  part(known, x, y, size);
  const cells = new Array(count);
  const spread = new Float32Array(count);
  const lines = { coast: [], majors: [], minors: [] };
  if (known.length) cellsOf(known, { x, y, major, minor }, size, cells, spread, lines);
  const tray = trayOf(lost, size, known.length, x, y, cells, spread);
  const starts = new Uint32Array(count + 1);
  for (let index = 0; index < count; index += 1) starts[index + 1] = starts[index] + cells[index].length;
  const corners = new Float32Array(starts[count]);
  cells.forEach((cell, index) => corners.set(cell, starts[index]));
  const box = { left: 0, top: 0, right: size.width, bottom: size.height };
  for (let n = 0; n < corners.length; n += 2) {
    box.left = Math.min(box.left, corners[n]);
    box.right = Math.max(box.right, corners[n]);
    box.top = Math.min(box.top, corners[n + 1]);
    box.bottom = Math.max(box.bottom, corners[n + 1]);
  }
  return {
    x,
    y,
    starts,
    corners,
    spread,
    coast: Float32Array.from(lines.coast),
    majors: Float32Array.from(lines.majors),
    minors: Float32Array.from(lines.minors),
    tray,
    land: size,
    box,
  };
}

/** Flat coordinates with the middle parallel kept true; {width, height} of the land. */
function place(known, lat, lon, x, y) {
  if (!known.length) return { width: 0, height: 0 };
  const middle = known.reduce((sum, index) => sum + lat[index], 0) / known.length;
  const squeeze = Math.cos((middle * Math.PI) / 180);
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const index of known) {
    left = Math.min(left, lon[index] * squeeze);
    right = Math.max(right, lon[index] * squeeze);
    top = Math.min(top, -lat[index]);
    bottom = Math.max(bottom, -lat[index]);
  }
  const span = Math.max(right - left, bottom - top) || 1;
  const edge = 0.02;
  const scale = (1 - 2 * edge) / span;
  for (const index of known) {
    x[index] = edge + (lon[index] * squeeze - left) * scale;
    y[index] = edge + (-lat[index] - top) * scale;
  }
  return { width: (right - left) * scale + 2 * edge, height: (bottom - top) * scale + 2 * edge };
}

/** Points on one spot (a unit may have several) are moved apart a little, so that each gets a cell. */
function part(known, x, y, size) {
  const step = 0.15 * Math.sqrt((size.width * size.height) / (known.length || 1));
  const seen = new Map();
  for (const index of known) {
    const spot = `${x[index]},${y[index]}`;
    const before = seen.get(spot) ?? 0;
    seen.set(spot, before + 1);
    if (!before) continue;
    // A sunflower: each next one a golden angle further round, a little farther out.
    x[index] += step * Math.sqrt(before) * Math.cos(2.399963 * before);
    y[index] += step * Math.sqrt(before) * Math.sin(2.399963 * before);
  }
}

function cellsOf(known, { x, y, major, minor }, size, cells, spread, lines) {
  const flat = new Float64Array(known.length * 2);
  known.forEach((index, n) => {
    flat[2 * n] = x[index];
    flat[2 * n + 1] = y[index];
  });
  const delaunay = new Delaunay(flat);
  const margin = 2;
  const voronoi = delaunay.voronoi([-margin, -margin, size.width + margin, size.height + margin]);
  const widest = WIDEST * Math.hypot(size.width, size.height) * (known.length > 2000 ? 0.25 : 0.75);
  const reach = reaches(delaunay, flat, widest);
  known.forEach((index, n) => {
    const polygon = voronoi.cellPolygon(n);
    const ring = polygon ? flatRing(polygon) : arc(flat[2 * n], flat[2 * n + 1], reach[n] / 4);
    cells[index] = clipped(ring, flat[2 * n], flat[2 * n + 1], reach[n], lines.coast);
    spread[index] = Math.sqrt(areaOf(cells[index]));
  });
  borders(delaunay, voronoi, flat, reach, (n) => [major[known[n]], minor[known[n]]], lines);
}

/** How far the land of each point reaches, by how far points are apart around there. */
function reaches(delaunay, flat, widest) {
  const count = flat.length / 2;
  const apart = new Float64Array(count);
  const around = [];
  for (let n = 0; n < count; n += 1) {
    around.push([...delaunay.neighbors(n)]);
    // Of points at the rim some neighbours are far away along it: the nearer ones tell.
    apart[n] = among(around[n].map((other) => Math.hypot(flat[2 * n] - flat[2 * other], flat[2 * n + 1] - flat[2 * other + 1])), 0.35, widest);
  }
  return apart.map((own, n) => Math.min(widest, REACH * among([own, ...around[n].map((other) => apart[other])], 0.5, own)));
}

/** The value at a share of the way from the least to the most. */
function among(values, share, none) {
  if (!values.length) return none;
  return values.sort((a, b) => a - b)[Math.floor((values.length - 1) * share)];
}

function flatRing(polygon) {
  const ring = [];
  for (let corner = 0; corner < polygon.length - 1; corner += 1) ring.push(polygon[corner][0], polygon[corner][1]);
  return ring;
}

const arc = (cx, cy, radius) => CIRCLE.flatMap(([cos, sin]) => [cx + radius * cos, cy + radius * sin]);

/** The part of a convex cell within reach of its point; the edges of the circle go to the coast. */
function clipped(ring, cx, cy, radius, coast) {
  let outside = false;
  for (let n = 0; n < ring.length && !outside; n += 2) outside = (ring[n] - cx) ** 2 + (ring[n + 1] - cy) ** 2 > radius * radius;
  if (!outside) return ring;
  let kept = ring;
  // One side of the circle's polygon after the other (Sutherland and Hodgman); both are convex.
  for (let k = 0; k < ARC && kept.length; k += 1) {
    const [nx, ny] = [Math.cos((2 * Math.PI * (k + 0.5)) / ARC), Math.sin((2 * Math.PI * (k + 0.5)) / ARC)];
    const limit = radius * Math.cos(Math.PI / ARC);
    const over = (px, py) => (px - cx) * nx + (py - cy) * ny - limit;
    const next = [];
    for (let n = 0; n < kept.length; n += 2) {
      const m = (n + 2) % kept.length;
      const [a, b] = [over(kept[n], kept[n + 1]), over(kept[m], kept[m + 1])];
      if (a <= 0) next.push(kept[n], kept[n + 1]);
      if (a <= 0 !== b <= 0) {
        const share = a / (a - b);
        next.push(kept[n] + share * (kept[m] - kept[n]), kept[n + 1] + share * (kept[m + 1] - kept[n + 1]));
      }
    }
    kept = next;
  }
  const rim = 0.999 * radius * Math.cos(Math.PI / ARC);
  for (let n = 0; n < kept.length; n += 2) {
    const m = (n + 2) % kept.length;
    const away = Math.hypot((kept[n] + kept[m]) / 2 - cx, (kept[n + 1] + kept[m + 1]) / 2 - cy);
    if (away >= rim) coast.push(kept[n], kept[n + 1], kept[m], kept[m + 1]);
  }
  return kept;
}

function areaOf(ring) {
  let twice = 0;
  for (let n = 0; n < ring.length; n += 2) {
    const m = (n + 2) % ring.length;
    twice += ring[n] * ring[m + 1] - ring[m] * ring[n + 1];
  }
  return Math.abs(twice) / 2;
}

/** The edges between cells of different areas, as far as there is land. */
function borders(delaunay, voronoi, flat, reach, areas, lines) {
  const { halfedges, triangles } = delaunay;
  const { circumcenters } = voronoi;
  for (let edge = 0; edge < halfedges.length; edge += 1) {
    const opposite = halfedges[edge];
    if (opposite < edge) continue; // the outline has none, and each edge is met twice
    const [one, other] = [triangles[edge], triangles[opposite]];
    const [oneMajor, oneMinor] = areas(one);
    const [otherMajor, otherMinor] = areas(other);
    if (oneMinor === otherMinor && oneMajor === otherMajor) continue;
    const from = 2 * Math.floor(edge / 3);
    const to = 2 * Math.floor(opposite / 3);
    const segment = within(
      [circumcenters[from], circumcenters[from + 1], circumcenters[to], circumcenters[to + 1]],
      flat[2 * one],
      flat[2 * one + 1],
      Math.min(reach[one], reach[other]),
    );
    if (segment) lines[oneMajor === otherMajor ? "minors" : "majors"].push(...segment);
  }
}

/** The part of a segment within a circle, or null. */
function within([x1, y1, x2, y2], cx, cy, radius) {
  const [dx, dy, fx, fy] = [x2 - x1, y2 - y1, x1 - cx, y1 - cy];
  const a = dx * dx + dy * dy;
  const b = 2 * (fx * dx + fy * dy);
  const root = b * b - 4 * a * (fx * fx + fy * fy - radius * radius);
  if (root <= 0 || a === 0) return null;
  const from = Math.max(0, (-b - Math.sqrt(root)) / (2 * a));
  const to = Math.min(1, (-b + Math.sqrt(root)) / (2 * a));
  return from < to ? [x1 + from * dx, y1 + from * dy, x1 + to * dx, y1 + to * dy] : null;
}

/** Squares in rows for those without coordinates: beside a high country, below a wide one. */
function trayOf(lost, size, known, x, y, cells, spread) {
  if (!lost.length) return null;
  const usual = known ? Math.sqrt((size.width * size.height * 0.35) / known) : 1 / Math.ceil(Math.sqrt(lost.length));
  const beside = size.height > size.width;
  const longest = known ? (beside ? size.height * 0.4 : size.width * 0.6) : 1;
  const side = Math.max(usual, 0.006);
  const rows = beside ? Math.max(1, Math.floor(longest / side)) : Math.ceil(lost.length / Math.max(1, Math.floor(longest / side)));
  const columns = Math.ceil(lost.length / rows);
  const left = known && beside ? size.width + 2.5 * side : 0.02;
  const top = known && beside ? 0.05 : size.height + 4 * side;
  lost.forEach((index, n) => {
    const [px, py] = [left + (n % columns) * side, top + Math.floor(n / columns) * side];
    const gap = side * 0.06;
    cells[index] = [px + gap, py + gap, px + side - gap, py + gap, px + side - gap, py + side - gap, px + gap, py + side - gap];
    x[index] = px + side / 2;
    y[index] = py + side / 2;
    spread[index] = side - 2 * gap;
  });
  return { left, top, right: left + columns * side, bottom: top + Math.ceil(lost.length / columns) * side, count: lost.length };
}
