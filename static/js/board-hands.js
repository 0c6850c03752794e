// What hands do with the map: wheel, pinch, + and − zoom; dragging moves; arrow keys go from point to
// point; a double click or Enter goes into the area, Escape or Backspace out of it.

const NEAR = 10; // px
const FINGER = 16;
const STILL = 4;

/** Events that it makes on the map: "enter" (detail: index of a point), "leave". */
export function hearHands(canvas, map) {
  const fingers = new Map();
  const at = (event) => {
    const frame = canvas.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  };
  const enter = (index) => index !== null && map.dispatchEvent(new CustomEvent("enter", { detail: index }));

  function turnWheel(event) {
    const closer = event.deltaY < 0;
    // Shown as a whole there is nothing farther out: the wheel then scrolls the page as everywhere.
    if (!closer && map.whole && !event.ctrlKey) return;
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    map.zoom(Math.exp((-event.deltaY * lines) / (event.ctrlKey ? 120 : 320)), ...at(event));
  }

  function grab(event) {
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY, moved: false });
    if (event.pointerType !== "touch") canvas.setPointerCapture(event.pointerId);
  }

  function drag(event) {
    const finger = fingers.get(event.pointerId);
    if (!finger) return map.mean(map.nearest(...at(event), NEAR));
    const [dx, dy] = [event.clientX - finger.x, event.clientY - finger.y];
    if (!finger.moved && Math.hypot(dx, dy) < STILL) return undefined;
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    const before = other && Math.hypot(finger.x - other.x, finger.y - other.y);
    Object.assign(finger, { x: event.clientX, y: event.clientY, moved: true });
    if (!other) return map.move(dx, dy);
    const frame = canvas.getBoundingClientRect();
    const after = Math.hypot(finger.x - other.x, finger.y - other.y);
    map.move(dx / 2, dy / 2);
    return map.zoom(after / (before || 1), (finger.x + other.x) / 2 - frame.left, (finger.y + other.y) / 2 - frame.top);
  }

  function drop(event) {
    const finger = fingers.get(event.pointerId);
    fingers.delete(event.pointerId);
    if (finger && !finger.moved && event.type === "pointerup") map.mean(map.nearest(...at(event), FINGER));
  }

  function press(event) {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === "+" || event.key === "=") map.zoom(1.5);
    else if (event.key === "-") map.zoom(1 / 1.5);
    else if (event.key === "0" || event.key === "Home") map.fit();
    else if (event.key === "Enter" && map.current !== null) enter(map.current);
    else if (event.key === "Escape" && map.current !== null) map.mean(null);
    else if (event.key === "Escape" || event.key === "Backspace") map.dispatchEvent(new CustomEvent("leave"));
    else if (way) map.step(way);
    else return;
    event.preventDefault();
  }

  canvas.addEventListener("wheel", turnWheel, { passive: false });
  canvas.addEventListener("pointerdown", grab);
  canvas.addEventListener("pointermove", drag);
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, drop);
  canvas.addEventListener("pointerleave", () => fingers.size || map.mean(null));
  canvas.addEventListener("dblclick", (event) => enter(map.nearest(...at(event), FINGER)));
  canvas.addEventListener("keydown", press);
  canvas.addEventListener("blur", () => map.mean(null));
}
