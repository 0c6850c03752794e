// The board on the wall of a hall: the whole screen, no pointer, and the screen does not go to sleep.
import { write } from "./board-lists.js";
import { t } from "./i18n.js";

const STILL = 3000; // ms without movement before the pointer goes
const root = document.documentElement;

/** `address`: a URL kept in the address bar; `?hall=1` stands for a hall without the browser's full screen. */
export function keepHall(button, address) {
  let lamp = null;
  let timer = null;

  async function stayAwake() {
    if (!root.classList.contains("hall")) {
      await lamp?.release();
      lamp = null;
    } else if (!document.hidden && !lamp && navigator.wakeLock) {
      // Refused on a low battery, and over plain HTTP there is none: the hall's screen then decides.
      lamp = await navigator.wakeLock.request("screen").catch(() => null);
      lamp?.addEventListener("release", () => {
        lamp = null;
      });
    }
  }

  function still() {
    root.classList.remove("still");
    clearTimeout(timer);
    if (root.classList.contains("hall")) timer = setTimeout(() => root.classList.add("still"), STILL);
  }

  function draw() {
    const hall = document.fullscreenElement !== null || address.searchParams.has("hall");
    root.classList.toggle("hall", hall);
    write(button.querySelector("span"), t(hall ? "hall.leave" : "hall.enter"));
    still();
    stayAwake();
  }

  async function leave() {
    address.searchParams.delete("hall");
    history.replaceState(null, "", address);
    if (document.fullscreenElement) await document.exitFullscreen();
    draw();
  }

  button.addEventListener("click", async () => {
    if (root.classList.contains("hall")) return leave();
    try {
      await root.requestFullscreen();
    } catch {
      // Not every browser may (a phone, a kiosk): then the page alone makes room.
      address.searchParams.set("hall", "1");
      history.replaceState(null, "", address);
    }
    return draw();
  });
  document.addEventListener("fullscreenchange", draw);
  document.addEventListener("visibilitychange", stayAwake);
  document.addEventListener("keydown", (event) => event.key === "Escape" && address.searchParams.has("hall") && leave());
  for (const name of ["pointermove", "pointerdown", "keydown"]) document.addEventListener(name, still, { passive: true });
  draw();
}
