// The way of a document keeps itself up to date: it asks every few seconds whether anything changed
// and draws it anew, with the same branches open and the focus where it was.
import { clockTime, t } from "./i18n.js";

const box = document.querySelector("[data-way]");

if (box) {
  const state = box.querySelector("[data-way-state]");
  const tree = () => document.getElementById("way-tree");
  let told = new Date();
  let timer = 0;

  const opened = () =>
    [...tree().querySelectorAll("details[open][data-key]")].map((branch) => branch.dataset.key).join(",");

  const refresh = async (force) => {
    clearTimeout(timer);
    const asked = new URLSearchParams({ open: opened() });
    if (!force) asked.set("seen", tree().dataset.signature);
    try {
      const answer = await fetch(`${box.dataset.way}?${asked}`, { headers: { accept: "text/html" } });
      if (!answer.ok) throw new Error(String(answer.status));
      told = new Date();
      if (answer.status === 200) draw(await answer.text());
      state.textContent = t("way.asOf", { time: clockTime(told) });
      state.classList.remove("way-stale");
    } catch {
      state.textContent = t("way.stale", { time: clockTime(told) });
      state.classList.add("way-stale");
    }
    timer = setTimeout(() => refresh(false), Number(box.dataset.seconds) * 1000);
  };

  const draw = (html) => {
    const key = document.activeElement?.closest("#way-tree details")?.dataset.key;
    const fresh = new DOMParser().parseFromString(html, "text/html").getElementById("way-tree");
    tree().replaceWith(document.importNode(fresh, true));
    if (key) tree().querySelector(`details[data-key="${CSS.escape(key)}"] > summary`)?.focus({ preventScroll: true });
  };

  // A branch comes without its units until it is opened: a city has six hundred of them. What draw()
  // puts in open already has them, and fires no second question.
  box.addEventListener(
    "toggle",
    (event) => {
      if (event.target.open && !event.target.querySelector(":scope > ul")) refresh(true);
    },
    true,
  );
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(timer);
    else refresh(false);
  });
  timer = setTimeout(() => refresh(false), Number(box.dataset.seconds) * 1000);
}
