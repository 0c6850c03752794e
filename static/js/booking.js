// The form of a meeting: agenda rows, audience, and the checks that appear while one types.
import { AudienceTree, Tree } from "./audience.js";
import "./combobox.js";
import { send } from "./csrf.js";
import { language, t } from "./i18n.js";
import { icon } from "./messages.js";

const PAUSE = 300; // ms after the last key
let audience = null;
const trees = new Map(); // by the first day of their shape, "" for the one of today
let changes = []; // days to come on which the tree changes
let shape = null;
let timer = 0;
let asked = null;

const form = () => document.getElementById("meeting-form");
const field = (name) => form().elements.namedItem(name);
const read = (name) => {
  try {
    const list = JSON.parse(field(name).value || "[]");
    return Array.isArray(list) ? list : [];
  } catch {
    return [];
  }
};

function write(name, list) {
  field(name).value = JSON.stringify(list);
  field(name).dispatchEvent(new Event("input", { bubbles: true }));
}

/* ---- agenda ---- */

function drawAgenda(focus = -1) {
  const items = read("agenda");
  const rows = items.map((item, index) => {
    const n = index + 1;
    const row = document.createElement("li");
    row.dataset.item = index;
    const input = (key, label, limit) => {
      const element = document.createElement("input");
      element.className = "form-control";
      element.value = item[key] ?? "";
      element.maxLength = limit;
      element.dataset.key = key;
      element.setAttribute("aria-label", `${label}`);
      element.placeholder = label;
      return element;
    };
    const button = (act, sign, off) => {
      const element = document.createElement("button");
      element.type = "button";
      element.className = "plain-button";
      element.dataset.act = act;
      element.disabled = off;
      element.setAttribute("aria-label", t(`agenda.${act}`, { n }));
      element.append(icon(sign));
      return element;
    };
    const tools = document.createElement("span");
    tools.className = "agenda-tools";
    tools.append(button("up", "arrow-up", index === 0), button("down", "arrow-down", n === items.length), button("remove", "trash", false));
    row.append(input("title", t("agenda.title", { n }), 500), input("presenter", t("agenda.presenter"), 200), tools);
    return row;
  });
  const list = document.getElementById("agenda-rows");
  list.replaceChildren(...rows);
  if (focus >= 0) list.children[focus]?.querySelector("input")?.focus();
}

document.addEventListener("click", (event) => {
  const target = event.target;
  if (target.closest?.("#add-item")) {
    const items = [...read("agenda"), { title: "", presenter: "" }];
    write("agenda", items);
    drawAgenda(items.length - 1);
    return;
  }
  const tool = target.closest?.("[data-item] [data-act]");
  if (tool) {
    const items = read("agenda");
    const at = Number(tool.closest("[data-item]").dataset.item);
    const [item] = items.splice(at, 1);
    const to = { up: at - 1, down: at + 1 }[tool.dataset.act];
    if (to !== undefined) items.splice(to, 0, item);
    write("agenda", items);
    drawAgenda(to ?? Math.min(at, items.length - 1));
    return;
  }
  const quick = target.closest?.("[data-add-level]");
  if (quick) audience?.add({ include: "level", level: quick.dataset.addLevel });
  const chip = target.closest?.("[data-remove-rule]");
  if (chip) audience?.remove(Number(chip.dataset.removeRule));
  if (target.closest?.("#clear-audience")) audience?.clear();
  const free = target.closest?.("[data-take-start]");
  if (free) takeStart(free.dataset.takeDate, free.dataset.takeStart);
});

// Reckoned as if in UTC: only the distance matters, and the office has no summer time.
const moment = (day, clock) => Date.parse(`${day}T${clock}:00Z`);
const lastDay = () => field("end_date").value || field("date").value;

/** Moves the meeting and keeps its length. */
function takeStart(day, start) {
  const length = moment(lastDay(), field("end").value) - moment(field("date").value, field("start").value);
  const end = new Date(moment(day, start) + length);
  field("date").value = day;
  field("start").value = start;
  if (!Number.isNaN(end.getTime())) {
    const endDay = end.toISOString().slice(0, 10);
    field("end_date").value = endDay === day ? "" : endDay;
    field("end").value = end.toISOString().slice(11, 16);
    if (endDay !== day) field("end_date").closest("details").open = true;
  }
  field("date").dispatchEvent(new Event("input", { bubbles: true }));
  field("start").focus();
}

/* ---- what follows from what is typed ---- */

function dayWords() {
  const place = document.querySelector("[data-day-words]");
  const day = field("date").value;
  if (!place) return;
  const begin = day ? new Date(`${day}T00:00:00Z`) : null;
  if (!begin || Number.isNaN(begin.getTime())) {
    place.textContent = "";
    return;
  }
  const weekday = begin.toLocaleDateString(language, { weekday: "long", timeZone: "UTC" });
  const numbers = (iso) => iso.split("-").reverse().join("/");
  const last = field("end_date").value;
  const until = last && last !== day ? ` – ${numbers(last)}, ${field("end").value}` : `–${field("end").value}`;
  place.textContent = `${weekday}, ${numbers(day)}, ${field("start").value}${until}`;
}

async function preview() {
  asked?.abort();
  asked = new AbortController();
  const data = new FormData(form());
  data.delete("papers");
  try {
    const answer = await send(form().dataset.preview, {
      body: new URLSearchParams(data),
      signal: asked.signal,
      headers: { accept: "text/html" },
    });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ["preview-time", "preview-audience"]) {
      const before = document.getElementById(id);
      const after = page.getElementById(id);
      if (!before || !after || before.outerHTML === after.outerHTML) continue;
      const had = before.contains(document.activeElement);
      const isOpen = before.querySelector("details")?.open;
      for (const name of after.getAttributeNames()) before.setAttribute(name, after.getAttribute(name));
      before.replaceChildren(...after.childNodes);
      if (isOpen && before.querySelector("details")) before.querySelector("details").open = true;
      if (had && !before.contains(document.activeElement)) document.getElementById("tree-search")?.focus();
    }
    follow();
  } catch (failure) {
    if (failure.name !== "AbortError" && !(failure instanceof TypeError)) throw failure;
  }
}

function follow() {
  const time = document.getElementById("preview-time");
  const late = document.getElementById("late-reason");
  const words = document.querySelector("[data-send-words]");
  if (late) late.hidden = time?.dataset.late !== "yes" && !late.querySelector("[aria-invalid=true]");
  const said = document.getElementById("preview-audience")?.dataset.buttonWords;
  if (words && said) words.textContent = said;
}

function soon(pause = PAUSE) {
  clearTimeout(timer);
  timer = setTimeout(preview, pause);
}

document.addEventListener("input", (event) => {
  if (!event.target.closest?.("#meeting-form")) return;
  const row = event.target.closest("[data-item]");
  if (row) {
    const items = read("agenda");
    items[Number(row.dataset.item)][event.target.dataset.key] = event.target.value;
    write("agenda", items);
    return;
  }
  const name = event.target.name;
  if (["date", "start", "end_date", "end"].includes(name)) dayWords();
  if (name === "date") showTree();
  if (["date", "start", "end_date", "end", "setup_minutes", "clearing_minutes", "main_point"].includes(name)) soon();
  if (name === "audience") soon(0);
});

document.addEventListener("draft:restored", () => {
  audience?.set(read("audience"));
  drawAgenda();
  dayWords();
  hostsOfDay();
  showTree();
  soon(0);
});

/* ---- the units of the day of the meeting ---- */

// After a reorganisation other units can be hosts.
function hostsOfDay() {
  field("host_unit").closest("[data-combobox]").dataset.on = field("date").value;
}

async function treeSince(day) {
  const source = document.getElementById("audience-tree").dataset.source;
  const answer = await fetch(day ? `${source}?on=${day}` : source, { headers: { accept: "application/json" } });
  if (!answer.ok) throw new Error(String(answer.status));
  changes = (answer.headers.get("x-tree-changes") ?? "").split(",").filter(Boolean);
  return new Tree(await answer.json());
}

async function treeOfDay() {
  if (!trees.has("")) trees.set("", await treeSince(""));
  const day = field("date").value;
  shape = changes.findLast((change) => change <= day) ?? "";
  if (!trees.has(shape)) trees.set(shape, await treeSince(shape));
  return trees.get(shape);
}

async function showTree() {
  if (!audience || (changes.findLast((change) => change <= field("date").value) ?? "") === shape) return;
  try {
    audience.show(await treeOfDay());
  } catch {
    document.getElementById("audience-tree").textContent = t("tree.failed");
  }
}

/* ---- start, and again after a refused form was swapped in ---- */

async function begin() {
  drawAgenda();
  dayWords();
  hostsOfDay();
  follow();
  const place = document.getElementById("audience-tree");
  let tree;
  try {
    tree = await treeOfDay();
  } catch {
    place.textContent = t("tree.failed");
    return;
  }
  audience = new AudienceTree(place, document.getElementById("tree-search"), tree, read("audience"), (rules) => write("audience", rules));
}

document.addEventListener("part:replaced", (event) => {
  if (event.target.id === "meeting-form") begin();
});
if (form()) begin();
