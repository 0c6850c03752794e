/* Buttons with data-copies="ID" put the value of that field into the clipboard. */
import { t } from "./i18n.js";
import { say } from "./messages.js";

// What is shown only once must be seen, wherever the form that made it stands.
document.addEventListener("part:replaced", (event) => {
  const shown = event.target.querySelector("[data-shown-once]");
  shown?.focus({ preventScroll: true });
  shown?.scrollIntoView({ block: "center" });
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copies]");
  if (!button) return;
  const field = document.getElementById(button.dataset.copies);
  field.select();
  try {
    // Browsers have a clipboard only behind HTTPS and on this very machine.
    await navigator.clipboard.writeText(field.value);
    say("success", t("copy.done"));
  } catch {
    say("info", t("copy.by_hand"));
  }
});
