// Logging in again in the middle of a form, without leaving the page.
import { renewCsrfToken, send } from "./csrf.js";
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
  message.textContent = "";

  return new Promise((resolve) => {
    const submit = async (event) => {
      event.preventDefault();
      button.disabled = true;
      try {
        const answer = await send(form.action, {
          headers: { accept: "application/json" },
          body: new URLSearchParams(new FormData(form)),
        });
        if (answer.ok) {
          renewCsrfToken((await answer.json()).csrf_token);
          dialog.close("done");
          return;
        }
        message.textContent = answer.status === 429 ? t("form.tooMany") : t("form.loginFailed");
        form.elements.password.select();
      } catch {
        message.textContent = t("form.offline");
      } finally {
        button.disabled = false;
      }
    };
    dialog.returnValue = "";
    form.addEventListener("submit", submit);
    dialog.addEventListener(
      "close",
      () => {
        form.removeEventListener("submit", submit);
        form.elements.password.value = "";
        resolve(dialog.returnValue === "done");
      },
      { once: true },
    );
    dialog.showModal();
    form.elements[form.elements.username.value ? "password" : "username"].focus();
  });
}
