// What the browser finds missing or wrong before sending is said below the field, in the language
// of the page; its own bubbles speak the language of the browser and vanish.
import { t } from "./i18n.js";
import { icon } from "./messages.js";

function sentence(field) {
  const { validity } = field;
  if (validity.valueMissing) return t("form.required");
  if (validity.tooLong) return t("form.tooLong", { limit: field.maxLength });
  if (validity.rangeUnderflow) return t("form.tooSmall", { limit: field.min });
  if (validity.rangeOverflow) return t("form.tooGreat", { limit: field.max });
  return validity.customError ? field.validationMessage : t("form.wrongForm");
}

const room = (field) => field.closest(".field") ?? field.parentElement;

function clear(field) {
  const said = room(field).querySelector(":scope > .field-error[data-said]");
  if (!said) return;
  said.remove();
  field.removeAttribute("aria-invalid");
  field.setAttribute("aria-describedby", (field.getAttribute("aria-describedby") ?? "").replace(said.id, "").trim());
}

let first = null;

document.addEventListener(
  "invalid",
  (event) => {
    const field = event.target;
    event.preventDefault();
    // A group of radio buttons tells once.
    room(field).querySelector(":scope > .field-error")?.remove();
    const said = document.createElement("p");
    said.className = "field-error";
    said.id = `error-${field.name || field.id}`;
    said.dataset.said = "";
    const words = document.createElement("span");
    words.textContent = sentence(field);
    said.append(icon("alert-circle"), words);
    room(field).append(said);
    field.setAttribute("aria-invalid", "true");
    const others = (field.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => id && id !== said.id);
    field.setAttribute("aria-describedby", [said.id, ...others].join(" "));
    first ??= field;
    queueMicrotask(() => {
      first?.focus();
      first = null;
    });
  },
  true,
);

document.addEventListener("input", (event) => {
  if (event.target.matches?.("[aria-invalid]") && event.target.validity.valid) clear(event.target);
});
