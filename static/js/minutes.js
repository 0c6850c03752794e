// The editor of minutes: rows by agenda item and task, facts pulled in by a click, and a save after
// each pause. What has not reached the server yet is kept on this device as well.
import { send } from "./csrf.js";
import { ask } from "./dialogs.js";
import { clockTime, t } from "./i18n.js";
import { logInAgain } from "./login.js";
import { say } from "./messages.js";

const PAUSE = 1200; // ms after the last key
const RETRY = 8000; // ms after a cut line
const editor = document.getElementById("minutes-editor");
const address = `/minutes/${editor.dataset.minutes}`;
const local = `minutes:${editor.dataset.minutes}`;
// Looked up each time: a refused submit replaces the form it stands in.
const tell = (words) => {
  document.getElementById("save-state").textContent = words;
};
let version = Number(editor.dataset.version);
let unsaved = false;
let halted = false; // somebody else saved: nothing goes out until that is decided
let timer = 0;
let saving = null;
let lastWritten = null;

const value = (scope, part) => scope.querySelector(`[data-part="${part}"]`).value;

function content() {
  return {
    place: value(editor, "place"),
    form: value(editor, "form"),
    secretary_name: value(editor, "secretary_name"),
    secretary_title: value(editor, "secretary_title"),
    items: [...editor.querySelectorAll("[data-item]")].map((row) => ({
      title: value(row, "title"),
      presenter: value(row, "presenter"),
      said: value(row, "said"),
    })),
    conclusions: value(editor, "conclusions"),
    tasks: [...editor.querySelectorAll("[data-task]")].map((row) => ({
      text: value(row, "text"),
      lead: value(row, "lead"),
      coordinating: [...row.querySelectorAll("[data-unit]")].map((chip) => chip.dataset.unit),
      alone: row.querySelector('[data-part="alone"]').checked,
      deadline: value(row, "deadline"),
    })),
    recipients: value(editor, "recipients").split("\n").filter((line) => line.trim()),
  };
}

/** Names of the units beside their codes: what is put back from this device must show them. */
function unitNames() {
  const names = {};
  for (const row of editor.querySelectorAll("[data-task]")) {
    if (value(row, "lead")) names[value(row, "lead")] = value(row, "lead-name");
    for (const chip of row.querySelectorAll("[data-unit]")) names[chip.dataset.unit] = chip.querySelector("[data-name]").textContent;
  }
  return names;
}

const fresh = (kind) => document.getElementById(`${kind}-template`).content.firstElementChild.cloneNode(true);

/** Every field its own id and every row its number, as they now stand. */
function number() {
  for (const kind of ["item", "task"]) {
    editor.querySelectorAll(`[data-${kind}]`).forEach((row, index) => {
      const label = row.querySelector("[data-numbered]");
      label.querySelector("[data-label]").textContent = label.dataset.numbered.replace("{n}", index + 1);
      for (const field of row.querySelectorAll("[data-part]")) {
        const part = field.dataset.part.replace("-name", "");
        if (field.dataset.part === "lead") continue;
        field.id = `field-${kind}-${index + 1}-${part}`;
      }
      for (const word of row.querySelectorAll("[data-for]")) word.htmlFor = `field-${kind}-${index + 1}-${word.dataset.for}`;
      for (const box of row.querySelectorAll("[data-combobox]")) {
        const list = box.querySelector("[role=listbox]");
        const input = box.querySelector("[role=combobox]");
        list.id = `list-${input.id}`;
        input.setAttribute("aria-controls", list.id);
      }
    });
  }
}

function addChip(row, code, name) {
  const chips = row.querySelector("[data-coordinating]");
  if ([...chips.children].some((chip) => chip.dataset.unit === code)) return;
  const chip = fresh("unit");
  chip.dataset.unit = code;
  chip.querySelector("[data-name]").textContent = name;
  chip.querySelector("button").setAttribute("aria-label", `${t("minutes.remove")}: ${name}`);
  chips.append(chip);
}

function fill(kept, names) {
  for (const part of ["place", "form", "secretary_name", "secretary_title", "conclusions"]) {
    editor.querySelector(`[data-part="${part}"]`).value = kept[part];
  }
  editor.querySelector('[data-part="recipients"]').value = kept.recipients.join("\n");
  const put = (kind, rows, each) =>
    document.getElementById(`${kind}s`).replaceChildren(
      ...rows.map((data) => {
        const row = fresh(kind);
        each(row, data);
        return row;
      }),
    );
  put("item", kept.items, (row, item) => {
    for (const part of ["title", "presenter", "said"]) row.querySelector(`[data-part="${part}"]`).value = item[part];
  });
  put("task", kept.tasks, (row, task) => {
    for (const part of ["text", "lead", "deadline"]) row.querySelector(`[data-part="${part}"]`).value = task[part];
    row.querySelector('[data-part="lead-name"]').value = names[task.lead] ?? "";
    row.querySelector('[data-part="alone"]').checked = task.alone;
    for (const code of task.coordinating) addChip(row, code, names[code] ?? code);
  });
  number();
}

function keepHere() {
  try {
    localStorage.setItem(local, JSON.stringify({ version, content: content(), names: unitNames() }));
  } catch {
    // storage full or switched off: the server has the last save
  }
}

function changed() {
  unsaved = true;
  keepHere();
  if (halted) return;
  clearTimeout(timer);
  timer = setTimeout(save, PAUSE);
}

/** Resolves true when everything written is on the server. One save at a time, in order. */
function save() {
  clearTimeout(timer);
  saving = (saving ?? Promise.resolve()).then(sendNow);
  return saving;
}

async function sendNow() {
  if (halted) return false;
  if (!unsaved) return true;
  unsaved = false;
  tell(t("minutes.saving"));
  let answer;
  try {
    answer = await send(`${address}/save`, {
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({ version, content: content() }),
    });
  } catch {
    unsaved = true;
    tell(t("minutes.unsaved"));
    timer = setTimeout(save, RETRY);
    return false;
  }
  if (answer.ok) {
    const done = await answer.json();
    version = done.version;
    if (!unsaved) localStorage.removeItem(local);
    else keepHere();
    tell(t("minutes.saved", { time: done.saved }));
    return !unsaved || sendNow();
  }
  unsaved = true;
  if (answer.status === 401 && (await logInAgain())) return sendNow();
  if (answer.status === 409 && (answer.headers.get("content-type") ?? "").includes("text/html")) {
    showConflict(await answer.text());
    return false;
  }
  const problem = await answer.json().catch(() => ({}));
  tell(t("minutes.refused", { detail: problem.detail ?? answer.status }));
  return false;
}

function showConflict(html) {
  halted = true;
  const found = new DOMParser().parseFromString(html, "text/html").getElementById("conflict-found");
  const place = document.getElementById("conflict");
  place.replaceChildren(document.importNode(found, true));
  tell(t("minutes.conflict"));
  place.scrollIntoView({ block: "start" });
  place.focus({ preventScroll: true });
}

document.addEventListener("click", async (event) => {
  const target = event.target.closest("button");
  if (!target) return;
  if ("keepMine" in target.dataset) {
    version = Number(document.getElementById("conflict-found").dataset.current);
    halted = false;
    unsaved = true;
    document.getElementById("conflict").replaceChildren();
    await save();
  } else if ("takeTheirs" in target.dataset) {
    if (!(await ask(t("minutes.dropMine"), t("minutes.dropMineYes"), true))) return;
    localStorage.removeItem(local);
    unsaved = false;
    location.reload();
  } else if (target.dataset.add) {
    const row = fresh(target.dataset.add);
    document.getElementById(`${target.dataset.add}s`).append(row);
    number();
    row.querySelector("[data-part]").focus();
    changed();
  } else if (target.dataset.remove) {
    await remove(target);
  } else if ("insert" in target.dataset) {
    insert(target.dataset.insert);
  }
});

async function remove(button) {
  const kind = button.dataset.remove;
  const row = button.closest(kind === "unit" ? "[data-unit]" : `[data-${kind}]`);
  const written = kind !== "unit" && [...row.querySelectorAll("textarea, input:not([type=checkbox])")].some((field) => field.value.trim());
  if (written && !(await ask(t(kind === "item" ? "minutes.removeItem" : "minutes.removeTask"), t("minutes.remove"), true))) return;
  const next = row.nextElementSibling ?? row.previousElementSibling;
  row.remove();
  number();
  (next?.querySelector("textarea, input") ?? document.querySelector(`[data-add="${kind}"]`))?.focus();
  changed();
}

/** At the cursor of the text where one last wrote; without one, at the end of the conclusions. */
function insert(text) {
  const field = lastWritten?.isConnected ? lastWritten : document.getElementById("field-conclusions");
  const before = field.value.slice(0, field.selectionStart);
  const gap = before && !/\s$/.test(before) ? " " : "";
  field.setRangeText(gap + text, field.selectionStart, field.selectionEnd, "end");
  field.focus();
  changed();
}

editor.addEventListener("focusout", (event) => {
  if (event.target.matches("textarea, input[data-part]:not([role=combobox])")) lastWritten = event.target;
});

editor.addEventListener("input", (event) => {
  const box = event.target.closest("[data-adds]");
  if (box && "chosen" in event.target.dataset) {
    const input = box.querySelector("[role=combobox]");
    addChip(box.closest("[data-task]"), event.target.value, input.value);
    input.value = "";
    event.target.value = "";
    box.closest("[data-task]").querySelector('[data-part="alone"]').checked = false;
  }
  changed();
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("#submit-button");
  if (!button || (!unsaved && !saving)) return;
  event.preventDefault();
  if (await save()) {
    saving = null;
    button.form.requestSubmit(button);
  }
});

window.addEventListener("online", () => unsaved && save());
window.addEventListener("beforeunload", (event) => {
  if (unsaved) event.preventDefault();
});

number();
let kept = null;
try {
  kept = JSON.parse(localStorage.getItem(local));
} catch {
  localStorage.removeItem(local);
}
if (kept) {
  fill(kept.content, kept.names);
  // Based on an older version it is refused, and what differs is shown.
  version = kept.version;
  unsaved = true;
  say("info", t("minutes.restored"));
  save();
} else if ([...editor.querySelectorAll("textarea[data-part]")].some((field) => field.value !== field.defaultValue)) {
  // Typed before this script had come.
  changed();
}
