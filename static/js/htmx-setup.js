// Load beside vendor/htmx-…/htmx.min.js on pages that swap parts: adds the token and tells of failures.
import { csrfToken } from "./csrf.js";
import { t } from "./i18n.js";
import { logInAgain } from "./login.js";
import { say } from "./messages.js";

document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["x-csrftoken"] = csrfToken();
});

document.addEventListener("htmx:responseError", async (event) => {
  if (event.detail.xhr.status === 401) {
    if (await logInAgain()) location.reload();
    return;
  }
  const page = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html");
  say("danger", page.querySelector("#error-detail")?.textContent.trim() || t("action.failed"));
});

document.addEventListener("htmx:sendError", () => say("warning", t("action.failed")));
