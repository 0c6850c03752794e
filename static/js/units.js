// The tree of units: opens what lies below when it is asked for, searches while typing, and keeps
// what one sees in the address.
import { t } from "./i18n.js";
import { say } from "./messages.js";

const PAUSE = 150; // ms after the last key
const filter = document.getElementById("unit-filter");
const list = () => document.getElementById("unit-list");

const part = async (address, signal) => {
  const answer = await fetch(address, { headers: { accept: "text/html", "x-enhanced": "part" }, signal });
  if (answer.status === 401) location.reload();
  if (!answer.ok) throw new Error(String(answer.status));
  // Markup of our own server, escaped there; scripts in it would not run.
  return new DOMParser().parseFromString(await answer.text(), "text/html");
};

// ---- opening and closing ----

const below = (toggle) => document.getElementById(toggle.getAttribute("aria-controls"));

const remember = () => {
  const address = new URL(location.href);
  const opened = [...list().querySelectorAll('.branch-toggle[aria-expanded="true"]')];
  address.searchParams.set("open", opened.map((each) => each.closest(".branch").dataset.branch).join(","));
  history.replaceState(history.state, "", address.pathname + address.search.replaceAll("%2C", ","));
};

async function open(toggle) {
  const box = below(toggle);
  if (!box.childElementCount) {
    toggle.setAttribute("aria-busy", "true");
    try {
      const on = encodeURIComponent(list().dataset.day);
      const page = await part(`/units/${toggle.closest(".branch").dataset.branch}/children?on=${on}`);
      box.replaceChildren(...page.body.childNodes);
    } catch {
      say("warning", t("action.failed"));
      return;
    } finally {
      toggle.removeAttribute("aria-busy");
    }
  }
  toggle.setAttribute("aria-expanded", "true");
  box.hidden = false;
  remember();
}

function close(toggle) {
  toggle.setAttribute("aria-expanded", "false");
  below(toggle).hidden = true;
  remember();
}

const isOpen = (toggle) => toggle?.getAttribute("aria-expanded") === "true";

document.addEventListener("click", (event) => {
  const toggle = event.target.closest(".branch-toggle");
  if (!toggle) return;
  if (isOpen(toggle)) close(toggle);
  else open(toggle);
});

// Arrow keys go through the tree as in a file manager; Tab still reaches everything.
document.addEventListener("keydown", (event) => {
  const line = event.target.closest?.("#unit-tree .branch-line");
  if (!line || event.altKey || event.ctrlKey || event.metaKey) return;
  const names = [...document.querySelectorAll("#unit-tree .branch-name")].filter((name) => name.offsetParent);
  const at = names.indexOf(line.querySelector(".branch-name"));
  const toggle = line.querySelector(".branch-toggle");
  const go = (name) => name?.focus();
  if (event.key === "ArrowDown") go(names[at + 1]);
  else if (event.key === "ArrowUp") go(names[at - 1]);
  else if (event.key === "Home") go(names[0]);
  else if (event.key === "End") go(names.at(-1));
  else if (event.key === "ArrowRight" && toggle) {
    if (isOpen(toggle)) go(below(toggle).querySelector(".branch-name"));
    else open(toggle);
  } else if (event.key === "ArrowLeft") {
    if (isOpen(toggle)) close(toggle);
    else go(line.closest(".branch").parentElement.closest(".branch")?.querySelector(".branch-name"));
  } else return;
  event.preventDefault();
});

// ---- the days of the tree ----

// The slider moves the date field; the form's own listener below then shows that day.
const slider = document.getElementById("tree-span");
const spans = slider ? [...slider.list.options] : [];
const day = document.getElementById("unit-day");

function saySpan(at) {
  slider.labels[0].querySelector("output").textContent = spans[at].dataset.words;
  slider.setAttribute("aria-valuetext", spans[at].dataset.words);
}

if (slider) {
  document.getElementById("tree-slider").hidden = false;
  slider.addEventListener("input", () => {
    day.value = spans[slider.value].dataset.day;
    saySpan(slider.value);
  });
  day.addEventListener("input", () => {
    const at = spans.findLastIndex((span) => span.dataset.first <= day.value);
    slider.value = Math.max(at, 0);
    saySpan(slider.value);
  });
}

// ---- searching while typing ----

let timer = null;
let running = null;

async function look() {
  running?.abort();
  running = new AbortController();
  const asked = new URLSearchParams();
  for (const [name, value] of new FormData(filter)) {
    if (value.trim()) asked.set(name, value.trim());
  }
  const address = asked.size ? `/units?${asked}` : "/units";
  try {
    const page = await part(address, running.signal);
    list().replaceWith(document.importNode(page.getElementById("unit-list"), true));
    history.replaceState(history.state, "", address);
  } catch (failure) {
    if (failure.name !== "AbortError") say("warning", t("action.failed"));
  }
}

filter?.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(look, PAUSE);
});
filter?.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(timer);
  look();
});
