// <form data-draft="KEY">: what is typed is kept on this device until it has been sent.
import { shortMoment, t } from "./i18n.js";
import { notice } from "./messages.js";

const PAUSE = 600; // ms after the last key
const KEEP = 14 * 24 * 3600 * 1000; // older drafts of a forgotten form are dropped
const address = (form) => `draft:${form.dataset.draft}`;
const timers = new WeakMap();

const kept = (element) =>
  element.name && element.type !== "password" && element.type !== "file" && element.type !== "hidden" && !element.closest("[data-no-draft]");

function contents(form) {
  return [...form.elements]
    .filter((element) => kept(element) && element.matches("input, select, textarea"))
    .map((element) => {
      if (element.type === "checkbox" || element.type === "radio") return [element.name, element.value, element.checked];
      if (element.multiple) return [element.name, [...element.selectedOptions].map((option) => option.value)];
      return [element.name, element.value];
    });
}

function save(form) {
  const fields = contents(form);
  try {
    localStorage.setItem(address(form), JSON.stringify({ at: Date.now(), fields }));
  } catch {
    return; // storage full or switched off: nothing is promised, so nothing is said
  }
  const place = form.querySelector("[data-draft-state]");
  if (place) place.textContent = t("draft.saved", { time: shortMoment(new Date()) });
}

function fill(form, fields) {
  const taken = new Map();
  for (const [name, value, checked] of fields) {
    const same = [...form.elements].filter((element) => element.name === name);
    if (typeof checked === "boolean") {
      const box = same.find((element) => element.value === value);
      if (box) box.checked = checked;
      continue;
    }
    const nth = taken.get(name) ?? 0;
    taken.set(name, nth + 1);
    const element = same[nth];
    if (!element) continue;
    if (Array.isArray(value)) for (const option of element.options) option.selected = value.includes(option.value);
    else element.value = value;
  }
  form.dispatchEvent(new Event("input", { bubbles: true }));
  form.dispatchEvent(new CustomEvent("draft:restored", { bubbles: true }));
}

/** Forgets the draft of a form that has been sent. */
export function clearDraft(form) {
  if (!form.dataset.draft) return;
  clearTimeout(timers.get(form));
  localStorage.removeItem(address(form));
}

function offer(form) {
  let draft;
  try {
    draft = JSON.parse(localStorage.getItem(address(form)));
  } catch {
    return;
  }
  if (!draft || Date.now() - draft.at > KEEP) {
    localStorage.removeItem(address(form));
    return;
  }
  if (JSON.stringify(contents(form)) === JSON.stringify(draft.fields)) return;
  const button = (word, act) => {
    const element = document.createElement("button");
    element.type = "button";
    element.className = "btn btn-sm";
    element.textContent = t(word);
    element.addEventListener("click", () => {
      box.remove();
      act();
    });
    return element;
  };
  const box = notice(
    "info",
    t("draft.found", { when: shortMoment(new Date(draft.at)) }),
    button("draft.restore", () => fill(form, draft.fields)),
    button("draft.discard", () => clearDraft(form)),
  );
  box.setAttribute("role", "status");
  form.prepend(box);
}

document.addEventListener("input", (event) => {
  const form = event.target.form ?? event.target.closest?.("form[data-draft]");
  if (!form?.dataset.draft) return;
  clearTimeout(timers.get(form));
  timers.set(form, setTimeout(() => save(form), PAUSE));
});

for (const form of document.querySelectorAll("form[data-draft]")) offer(form);
