// Choosing recipients: each choice is a rule over the tree; the server says what the rules come to.
import { send } from "./csrf.js";
import { t } from "./i18n.js";
import { say } from "./messages.js";

const form = () => document.getElementById("circulate-form");
const rules = () => JSON.parse(form().elements.rules.value || "[]");
let latest = 0;

async function change(next) {
  form().elements.rules.value = JSON.stringify(next);
  const number = ++latest;
  const body = new URLSearchParams({ rules: form().elements.rules.value, from: form().elements.from.value });
  let answer;
  try {
    answer = await send(form().dataset.preview, { body });
  } catch {
    say("warning", t("action.failed"));
    return;
  }
  if (number !== latest) return; // an older answer must not overwrite a newer one
  if (!answer.ok) {
    say("danger", t("action.failed"));
    return;
  }
  const part = document.getElementById("recipients");
  part.innerHTML = await answer.text();
  const told = part.querySelector("[data-new]").dataset;
  const button = form().querySelector("[data-send]");
  button.disabled = told.new === "0";
  button.dataset.confirm = told.confirm;
  button.querySelector("[data-send-text]").textContent = told.button;
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** A rule said twice is one rule; the newest stands last, because later rules outweigh earlier ones. */
const add = (rule) => change([...rules().filter((known) => !same(known, rule)), rule]);

function addUnit(verb) {
  const input = form().elements.unit;
  const known = [...input.list.options].some((option) => option.value === input.value.trim());
  const code = /\(([^()]+)\)$/.exec(input.value.trim())?.[1];
  const unknown = form().querySelector("[data-unit-unknown]");
  unknown.hidden = known;
  if (!known || !code) {
    input.focus();
    return;
  }
  input.value = "";
  add({ [verb]: "unit", unit: code });
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("#circulate-form button");
  if (!button) return;
  if (button.dataset.rule) add(JSON.parse(button.dataset.rule));
  else if (button.dataset.remove) change(rules().filter((_, index) => index !== Number(button.dataset.remove)));
  else if (button.dataset.addUnit) addUnit(button.dataset.addUnit);
  else if ("addBelow" in button.dataset && form().elements.head.value) add({ include: "children", unit: form().elements.head.value });
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.target.name !== "unit" || !event.target.closest("#circulate-form")) return;
  event.preventDefault(); // Enter in the search adds the unit; it does not send the document
  addUnit("include");
});
