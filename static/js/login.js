// Logging in again in the middle of a form, without leaving the page. Who has a second factor is asked
// for its code in the same dialog.
import { send } from "./csrf.js";
import { t } from "./i18n.js";

let waiting = null;

/** Shows the login dialog; resolves true after a login, false when it was put away. */
export function logInAgain() {
  waiting ??= show().finally(() => {
    waiting = null;
  });
  return waiting;
}

function show() {
  const dialog = document.getElementById("login-dialog");
  const form = document.getElementById("login-dialog-form");
  if (!dialog) return Promise.resolve(false);
  const message = form.querySelector(".form-message");
  const button = form.querySelector(".btn-primary");
  const secondStep = form.querySelector("[data-second-step]");
  message.textContent = "";
  secondStep.hidden = true;

  return new Promise((resolve) => {
    const submit = async (event) => {
      event.preventDefault();
      button.disabled = true;
      try {
        const answer = await send(secondStep.hidden ? form.action : "/login/code", {
          headers: { accept: "application/json" },
          body: new URLSearchParams(new FormData(form)),
        });
        const told = await answer.json().catch(() => ({}));
        if (answer.ok) dialog.close("done");
        else refused(answer, told);
      } catch {
        message.textContent = t("form.offline");
      } finally {
        button.disabled = false;
      }
    };
    const refused = (answer, told) => {
      // A code that took too long begins with the password again.
      secondStep.hidden = secondStep.hidden ? told.code !== "second_factor_required" : told.code === "no_pending_login";
      message.textContent = told.detail || t(answer.status === 429 ? "form.tooMany" : "form.loginFailed");
      const field = form.elements[secondStep.hidden ? "password" : "code"];
      field.focus();
      field.select();
    };
    dialog.returnValue = "";
    form.addEventListener("submit", submit);
    dialog.addEventListener(
      "close",
      () => {
        form.removeEventListener("submit", submit);
        form.elements.password.value = "";
        form.elements.code.value = "";
        resolve(dialog.returnValue === "done");
      },
      { once: true },
    );
    dialog.showModal();
    form.elements[form.elements.username.value ? "password" : "username"].focus();
  });
}
