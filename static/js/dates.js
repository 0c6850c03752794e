// Dates as dd/mm/yyyy and times as 24 hours, whatever language the browser speaks: an English one
// would show an office here 11/23/2026 and 02:30 PM. `input[type=date]` and `[type=time]` become text
// fields with a calendar of our own, on phones as well: theirs follow the device, not the page.
//
// For other scripts nothing changes: `.value` of such a field reads and takes the ISO form
// (2026-11-23, 14:30; "" while it is incomplete), `input` and `change` fire, forms send the ISO form.
import { chooseDay } from "./date-picker.js";
import { t } from "./i18n.js";
import { icon } from "./messages.js";

const native = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value");
const two = (number) => String(number).padStart(2, "0");

/** "2026-11-23" from 23/11/2026, 23.11.26, 23112026 or the ISO form; null where it is no day. */
function isoDay(text) {
  const typed = text.trim();
  const parts =
    /^(?<y>\d{4})-(?<m>\d{2})-(?<d>\d{2})$/.exec(typed) ??
    /^(?<d>\d{1,2})[/.\- ](?<m>\d{1,2})[/.\- ](?<y>\d{4}|\d{2})$/.exec(typed) ??
    /^(?<d>\d{2})(?<m>\d{2})(?<y>\d{4})$/.exec(typed);
  if (!parts) return null;
  const { d, m, y } = parts.groups;
  const year = y.length === 2 ? 2000 + Number(y) : Number(y);
  const day = new Date(Date.UTC(year, m - 1, d));
  if (day.getUTCFullYear() !== year || day.getUTCMonth() !== m - 1 || day.getUTCDate() !== Number(d)) return null;
  return `${String(year).padStart(4, "0")}-${two(m)}-${two(d)}`;
}

const shownDay = (iso) => iso.split("-").reverse().join("/");

/** "08:30" from 8:30, 08.30, 8h30, 8h, 830 or 0830; null where it is no time. */
function isoTime(text) {
  const typed = text.trim().toLowerCase();
  const parts = /^(\d{1,2})[:.h ](\d{2})(?::\d{2}(?:\.\d+)?)?$/.exec(typed) ?? /^(\d{1,2})()h?$/.exec(typed) ?? /^(\d{1,2})(\d{2})$/.exec(typed);
  if (!parts) return null;
  const hours = Number(parts[1]);
  const minutes = Number(parts[2] || 0);
  return hours < 24 && minutes < 60 ? `${two(hours)}:${two(minutes)}` : null;
}

const KINDS = {
  date: { iso: isoDay, shown: shownDay, sign: "/", shape: "date.shape", wrong: "date.wrong", length: 10, pairs: /^\d{2}$|^\d{2}\/\d{2}$/ },
  time: { iso: isoTime, shown: (iso) => iso, sign: ":", shape: "time.shape", wrong: "time.wrong", length: 5, pairs: /^\d{2}$/ },
};

const enhanced = new WeakMap(); // field → its kind

const typedIn = (field) => native.get.call(field);
const show = (field, kind, value) => {
  const iso = kind.iso(value);
  native.set.call(field, iso === null ? value : kind.shown(iso));
  judge(field, kind);
};

/** What the browser says of a date field by itself: no such day, too early, too late. */
function judge(field, kind) {
  const typed = typedIn(field);
  const iso = kind.iso(typed);
  let problem = "";
  if (typed.trim() && iso === null) problem = t(kind.wrong);
  else if (iso && field.min && iso < field.min) problem = t("date.early", { limit: kind.shown(field.min) });
  else if (iso && field.max && iso > field.max) problem = t("date.late", { limit: kind.shown(field.max) });
  field.setCustomValidity(problem);
}

const tell = (field, ...events) => {
  for (const name of events) field.dispatchEvent(new Event(name, { bubbles: true }));
};

function enhance(field) {
  const kind = KINDS[field.type];
  // A refused form comes back with what was typed; a date field would show nothing of "31/02/2026".
  const value = native.get.call(field) || field.getAttribute("value") || "";
  const isDate = field.type === "date";
  enhanced.set(field, kind);
  field.type = "text";
  field.inputMode = "numeric";
  field.autocomplete = "off";
  field.placeholder = t(kind.shape);
  field.classList.add(isDate ? "date-text" : "time-text");
  Object.defineProperty(field, "value", {
    configurable: true,
    get: () => kind.iso(typedIn(field)) ?? "",
    set: (next) => show(field, kind, next ?? ""),
  });
  show(field, kind, value);
  field.addEventListener("input", (event) => {
    divide(field, kind, event);
    judge(field, kind);
  });
  field.addEventListener("change", () => show(field, kind, typedIn(field)));
  if (isDate) addPicker(field);
  else field.addEventListener("keydown", (event) => step(field, event));
}

/** Puts the stroke or the colon in while one types on. */
function divide(field, kind, event) {
  const text = typedIn(field);
  if (event.inputType !== "insertText" || field.selectionStart !== text.length) return;
  const once = text.replace(/([/:]){2,}$/, "$1").replace(/[.\- h]$/, kind.sign);
  if (kind.pairs.test(once)) native.set.call(field, once + kind.sign);
  else if (once !== text) native.set.call(field, once);
}

/** Arrow up and down move a time by its step, as a time field of the browser does. */
function step(field, event) {
  const way = { ArrowUp: 1, ArrowDown: -1 }[event.key];
  const now = field.value;
  if (!way || !now || field.readOnly) return;
  event.preventDefault();
  const [hours, minutes] = now.split(":").map(Number);
  const by = Math.max(1, Math.round((Number(field.step) || 300) / 60));
  const next = Math.min(24 * 60 - 1, Math.max(0, Math.floor((hours * 60 + minutes) / by) * by + way * by));
  field.value = `${two(Math.floor(next / 60))}:${two(next % 60)}`;
  tell(field, "input", "change");
}

function addPicker(field) {
  const box = document.createElement("span");
  const button = document.createElement("button");
  box.className = "date-box";
  button.type = "button";
  button.className = "plain-button";
  button.setAttribute("aria-haspopup", "dialog");
  button.setAttribute("aria-label", t("date.choose"));
  button.append(icon("calendar"));
  field.replaceWith(box);
  box.append(field, button);
  const pick = async () => {
    if (field.disabled || field.readOnly) return;
    const label = field.labels?.[0]?.textContent.replace("*", "").trim();
    const day = await chooseDay(box, { day: field.value, min: field.min, max: field.max, label, required: field.required });
    if (day === null) return;
    field.value = day;
    tell(field, "input", "change");
    field.focus();
  };
  button.addEventListener("click", pick);
  field.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" || !event.altKey) return;
    event.preventDefault();
    pick();
  });
}

function enhanceWithin(root) {
  for (const field of root.querySelectorAll("input[type=date], input[type=time]")) enhance(field);
}

// Whoever sends a form, the browser or a script, makes its FormData: there the ISO form goes in. What
// is no day goes as it was typed, so that the server can say what is wrong with it.
document.addEventListener("formdata", (event) => {
  for (const field of event.target.elements) {
    if (!enhanced.has(field) || !field.name || field.disabled) continue;
    const same = [...event.target.elements].filter((each) => each.name === field.name && !each.disabled && enhanced.has(each));
    if (same[0] !== field) continue;
    event.formData.delete(field.name);
    for (const each of same) event.formData.append(each.name, each.value || typedIn(each));
  }
});

document.addEventListener("reset", (event) => {
  queueMicrotask(() => {
    for (const field of event.target.elements) if (enhanced.has(field)) show(field, enhanced.get(field), typedIn(field));
  });
});

enhanceWithin(document);
// Rows that are added, forms that are swapped in.
new MutationObserver((changes) => {
  for (const { addedNodes } of changes) for (const node of addedNodes) if (node instanceof Element) enhanceWithin(node.parentElement ?? node);
}).observe(document.body, { childList: true, subtree: true });

