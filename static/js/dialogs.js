// Native dialogs: data-opens="ID" shows one, data-closes shuts the one it stands in,
// and ask() puts one question before an act.
import { t } from "./i18n.js";

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) {
    const dialog = document.getElementById(opener.dataset.opens);
    opener.closest("details.menu")?.removeAttribute("open");
    dialog.showModal();
    dialog.querySelector("[autofocus], input:not([type=hidden]), select, textarea")?.focus();
    return;
  }
  event.target.closest("[data-closes]")?.closest("dialog")?.close();
  // A click on the backdrop hits the dialog itself; text typed in a form is not thrown away by it.
  if (event.target.matches?.("dialog.dialog[open]") && !event.target.querySelector("form")) {
    const box = event.target.getBoundingClientRect();
    const inside =
      event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
    if (!inside) event.target.close();
  }
});

/** Asks one question; true when the person says yes. `button` names what yes does. */
export function ask(question, button = t("dialog.confirm"), danger = false) {
  const dialog = document.getElementById("question-dialog");
  const yes = dialog.querySelector("[data-answer-yes]");
  dialog.querySelector("#question-dialog-text").textContent = question;
  yes.textContent = button;
  yes.className = `btn ${danger ? "btn-danger" : "btn-primary"}`;
  return new Promise((resolve) => {
    const agree = () => dialog.close("yes");
    dialog.returnValue = "";
    yes.addEventListener("click", agree);
    dialog.addEventListener(
      "close",
      () => {
        yes.removeEventListener("click", agree);
        resolve(dialog.returnValue === "yes");
      },
      { once: true },
    );
    dialog.showModal();
    yes.focus();
  });
}
