// A field that searches while one types: arrows choose, Enter takes, Escape leaves as it was.
// <div data-combobox="/source"> holds input[role=combobox], input[data-chosen] and ul[role=listbox].
// The source answers ?q= with [{id, label, note}]; data-on names the day it is asked about.
import { t } from "./i18n.js";

const PAUSE = 150; // ms after the last key
const open = new WeakMap();

const parts = (box) => ({
  input: box.querySelector("[role=combobox]"),
  chosen: box.querySelector("[data-chosen]"),
  list: box.querySelector("[role=listbox]"),
});

function show(box, choices) {
  const { input, list } = parts(box);
  const items = choices.map(({ id, label, note }, index) => {
    const item = document.createElement("li");
    item.id = `${list.id}-${index}`;
    item.role = "option";
    item.dataset.id = id;
    item.dataset.label = label;
    item.setAttribute("aria-selected", "false");
    const small = document.createElement("span");
    small.className = "soft small";
    small.textContent = note;
    item.append(label, " ", small);
    return item;
  });
  if (!items.length) {
    const nothing = document.createElement("li");
    nothing.className = "soft";
    nothing.role = "option";
    nothing.setAttribute("aria-disabled", "true");
    nothing.textContent = t("choice.none");
    items.push(nothing);
  }
  list.replaceChildren(...items);
  list.hidden = false;
  input.setAttribute("aria-expanded", "true");
  mark(box, items[0]?.dataset.id ? items[0] : null);
}

function hide(box) {
  const { input, list } = parts(box);
  list.hidden = true;
  input.setAttribute("aria-expanded", "false");
  input.removeAttribute("aria-activedescendant");
}

function mark(box, item) {
  const { input, list } = parts(box);
  for (const other of list.children) other.setAttribute("aria-selected", String(other === item));
  if (item) {
    input.setAttribute("aria-activedescendant", item.id);
    item.scrollIntoView({ block: "nearest" });
  } else input.removeAttribute("aria-activedescendant");
}

function take(box, item) {
  const { input, chosen } = parts(box);
  input.value = item.dataset.label;
  box.dataset.before = input.value;
  chosen.value = item.dataset.id;
  hide(box);
  chosen.dispatchEvent(new Event("input", { bubbles: true }));
}

async function look(box, query) {
  open.get(box)?.abort();
  const stop = new AbortController();
  open.set(box, stop);
  try {
    const asked = new URLSearchParams({ q: query, ...(box.dataset.on && { on: box.dataset.on }) });
    const answer = await fetch(`${box.dataset.combobox}?${asked}`, {
      signal: stop.signal,
      headers: { accept: "application/json" },
    });
    if (answer.ok) show(box, await answer.json());
  } catch (failure) {
    if (failure.name !== "AbortError" && !(failure instanceof TypeError)) throw failure;
  }
}

const boxOf = (event) => (event.target.matches?.("[role=combobox]") ? event.target.closest("[data-combobox]") : null);
const timers = new WeakMap();

document.addEventListener("focusin", (event) => {
  const box = boxOf(event);
  if (!box) return;
  box.dataset.before = event.target.value;
  event.target.select();
});

document.addEventListener("click", (event) => {
  const box = boxOf(event);
  if (box && parts(box).list.hidden) look(box, "");
});

document.addEventListener("input", (event) => {
  const box = boxOf(event);
  if (!box) return;
  parts(box).chosen.value = ""; // what is half typed is no choice
  clearTimeout(timers.get(box));
  timers.set(box, setTimeout(() => look(box, event.target.value), PAUSE));
});

document.addEventListener("keydown", (event) => {
  const box = boxOf(event);
  if (!box) return;
  const { input, list } = parts(box);
  const items = [...list.querySelectorAll("[data-id]")];
  const now = items.findIndex((item) => item.getAttribute("aria-selected") === "true");
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    if (list.hidden) look(box, "");
    else if (items.length) mark(box, items[(now + (event.key === "ArrowDown" ? 1 : -1) + items.length) % items.length]);
  } else if (event.key === "Enter" && !list.hidden) {
    event.preventDefault();
    if (items[now]) take(box, items[now]);
  } else if (event.key === "Escape" && !list.hidden) {
    event.stopPropagation();
    hide(box);
    input.value = box.dataset.before ?? input.value;
  }
});

document.addEventListener("mousedown", (event) => {
  const item = event.target.closest?.("[data-combobox] [data-id]");
  if (!item) return;
  event.preventDefault(); // the focus stays in the field
  take(item.closest("[data-combobox]"), item);
});

document.addEventListener("focusout", (event) => {
  const box = boxOf(event);
  if (!box) return;
  open.get(box)?.abort();
  clearTimeout(timers.get(box));
  hide(box);
});
