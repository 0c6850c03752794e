// Works out the shape of the map beside the page, which goes on drawing meanwhile.
import { geometryOf } from "./board-geometry.js";

addEventListener("message", ({ data }) => {
  const shape = geometryOf(data);
  const buffers = Object.values(shape).flatMap((part) => (ArrayBuffer.isView(part) ? [part.buffer] : []));
  postMessage(shape, buffers);
});
