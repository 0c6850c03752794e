// The filters of a list: choosing sends the form, so that the address says what is shown.
import "./combobox.js";

const form = document.getElementById("meeting-filters");

form?.addEventListener("change", (event) => {
  if (event.target.matches("select")) form.requestSubmit();
});
form?.addEventListener("input", (event) => {
  if (event.target.matches("[data-chosen]")) form.requestSubmit();
});
form?.addEventListener("focusout", (event) => {
  // An emptied search for a unit means all units.
  const box = event.target.closest?.("[data-combobox]");
  const { unit } = form.elements;
  if (box && !event.target.value && new URLSearchParams(location.search).get("unit") && !unit.value) form.requestSubmit();
});
