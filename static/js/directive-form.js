// The form of a document: a declared secret switches off everything but the paper's place; symbol
// and next number follow kind, unit and date until the clerk writes something else.
import { t } from "./i18n.js";

const form = () => document.getElementById("directive-form");
// A draft keeps the symbol that it has, whatever would be proposed.
let proposed = form()?.hasAttribute("data-changes") ? null : (form()?.elements.symbol?.value ?? "");

function follow() {
  const chosen = form().querySelector("[name=secrecy]:checked")?.value ?? "";
  const secret = chosen !== "" && chosen !== "open";
  for (const part of form().querySelectorAll("[data-secret]")) {
    part.hidden = !secret;
    part.disabled = !secret;
  }
  for (const part of form().querySelectorAll("[data-open]")) {
    part.hidden = secret;
    part.disabled = secret;
  }
  if (!secret) return;
  // What was typed before the declaration must not wait in a hidden field.
  for (const name of ["title", "files", "signed_by_name", "signed_by_title", "number"]) form().elements[name].value = "";
}

async function propose() {
  const { issuing_unit: unit, kind, document_date: date, symbol } = form().elements;
  const asked = new URLSearchParams({ unit: unit.value, kind: kind.value, date: date.value });
  const answer = await fetch(`/directives/proposal?${asked}`, { headers: { accept: "application/json" } });
  if (!answer.ok) return;
  const { symbol: next, number } = await answer.json();
  if (!number) return;
  if (symbol.value === proposed || symbol.value === "") symbol.value = next;
  proposed = next;
  const hint = document.getElementById("hint-number");
  if (hint) hint.textContent = t("directive.nextNumber", { number: String(number).padStart(2, "0"), symbol: symbol.value });
}

document.addEventListener("change", (event) => {
  if (!event.target.closest("#directive-form")) return;
  if (event.target.name === "secrecy") follow();
  if (["issuing_unit", "kind", "document_date"].includes(event.target.name)) propose().catch(() => {});
});
document.addEventListener("part:replaced", (event) => {
  if (event.target.id === "directive-form") follow();
});
if (form()) propose().catch(() => {});
