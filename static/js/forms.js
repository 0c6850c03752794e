// Every POST form (unless data-plain) is sent by script, so that nothing typed is lost through an
// error, an expired session or a cut line. What the server answers decides what happens:
//   redirect, or header x-location   → that page is opened
//   400, 409, 422 with HTML          → the same form is replaced from the answer, errors focused
//   other 2xx with HTML              → data-target is replaced from the answer (or the page reloads)
//   401                              → the login dialog, then the same form again
import { csrfToken } from "./csrf.js";
import { ask } from "./dialogs.js";
import { clearDraft } from "./drafts.js";
import { t } from "./i18n.js";
import { logInAgain } from "./login.js";
import { carry, notice, say } from "./messages.js";

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post" || "plain" in form.dataset) return;
  event.preventDefault();
  if (form.dataset.busy) return; // a second click changes nothing
  const button = event.submitter;
  const question = button?.dataset.confirm ?? form.dataset.confirm;
  if (question) {
    const word = button?.dataset.confirmButton ?? form.dataset.confirmButton ?? button?.textContent.trim();
    if (!(await ask(question, word || undefined, /danger/.test(button?.className ?? "")))) return;
  }
  await submit(form, button);
});

/** Sends a form as if it had been submitted with `button`. */
export async function submit(form, button = null) {
  busy(form, button, true);
  clearMessage(form);
  try {
    await take(form, button, await transmit(form, button));
  } catch (failure) {
    if (!(failure instanceof LineCut)) throw failure;
    offerRetry(form, button);
  } finally {
    if (!leaving) busy(form, button, false);
  }
}

// Once the next page is being opened, the form stays shut: a second click must not send it again.
let leaving = false;
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  leaving = false; // "Back" brought this page out of the browser's memory
  for (const form of document.querySelectorAll("form[data-busy]")) busy(form, null, false);
});

class LineCut extends Error {}

/** XMLHttpRequest, because fetch() tells nothing of how far an upload has come. */
function transmit(form, button) {
  const data = new FormData(form, button);
  const files = [...data.values()].some((value) => value instanceof File && value.size > 0);
  const multipart = form.enctype === "multipart/form-data";
  const request = new XMLHttpRequest();
  request.open("POST", button?.getAttribute("formaction") ?? form.getAttribute("action") ?? location.href);
  request.setRequestHeader("x-csrftoken", csrfToken());
  request.setRequestHeader("x-enhanced", "form");
  request.setRequestHeader("accept", "text/html");
  const progress = files ? showProgress(form) : null;
  return new Promise((resolve, reject) => {
    const fail = () => reject(new LineCut());
    request.upload.addEventListener("progress", (event) => progress?.(event));
    request.addEventListener("load", () => resolve(request));
    request.addEventListener("error", fail);
    request.addEventListener("abort", fail);
    request.addEventListener("timeout", fail);
    request.send(multipart ? data : new URLSearchParams(data));
  }).finally(() => progress?.(null));
}

async function take(form, button, request) {
  const { status } = request;
  const type = request.getResponseHeader("content-type") ?? "";
  const page = type.includes("text/html") ? new DOMParser().parseFromString(request.responseText, "text/html") : null;

  if (status === 401) {
    if (await logInAgain()) await submitAgain(form, button);
    else message(form, notice("danger", t("form.loginFailed")));
    return;
  }
  if (redirected(request, form, button)) {
    // Done, whatever the next page says of itself.
    clearDraft(form);
    if (page) carry(page);
    open(request.responseURL);
    return;
  }
  if (status >= 200 && status < 300) {
    clearDraft(form);
    form.dispatchEvent(new CustomEvent("form:done", { bubbles: true, detail: { status, page } }));
    const target = request.getResponseHeader("x-location");
    if (target) {
      open(target);
    } else if (page && form.dataset.target && swap(form, page)) {
      for (const box of page.querySelectorAll("[data-flash]")) say(/notice-(\w+)/.exec(box.className)?.[1], box.querySelector("p").textContent.trim());
    } else {
      if (page) carry(page);
      leaving = true;
      location.reload();
    }
    return;
  }
  if (page && [400, 409, 422].includes(status) && swap(form, page)) return;
  message(form, notice("danger", explanation(status, request, page, form)));
}

/** Through the same guard as a click: the first `busy` still stands, so it is lifted for the repeat. */
async function submitAgain(form, button) {
  busy(form, button, false);
  await submit(form, button);
}

function redirected(request, form, button) {
  const sentTo = new URL(button?.getAttribute("formaction") ?? form.getAttribute("action") ?? location.href, location.href);
  return new URL(request.responseURL).href.split("#")[0] !== sentTo.href.split("#")[0];
}

function open(address) {
  leaving = true;
  const target = new URL(address, location.href);
  if (target.href.split("#")[0] === location.href.split("#")[0]) {
    if (target.hash) location.hash = target.hash;
    location.reload();
  } else {
    location.assign(target);
  }
}

/** Replaces the form, or its data-target, by the same part of the answer; false when it has none. */
function swap(form, page) {
  const selector =
    form.dataset.target ??
    (form.id ? `#${CSS.escape(form.id)}` : `form[action="${CSS.escape(form.getAttribute("action") ?? "")}"]`);
  const before = document.querySelector(selector);
  const after = page.querySelector(selector);
  if (!before || !after) return false;
  const dialog = before.closest("dialog[open]");
  const files = new Map([...before.querySelectorAll("input[type=file]")].map((input) => [input.name, input.files]));
  const fresh = document.importNode(after, true);
  before.replaceWith(fresh);
  for (const input of fresh.querySelectorAll("input[type=file]")) {
    if (files.get(input.name)?.length) input.files = files.get(input.name);
  }
  window.htmx?.process(fresh);
  fresh.dispatchEvent(new CustomEvent("part:replaced", { bubbles: true }));
  const summary = fresh.querySelector("[data-error-summary]");
  const first = summary ?? fresh.querySelector("[aria-invalid=true]");
  first?.focus();
  if (first && !dialog) first.scrollIntoView({ block: "center" });
  return true;
}

/** Best words first: the sentence of the error page or of the problem document, then our own. */
function explanation(status, request, page, form) {
  if (status === 413) {
    const limit = form.dataset.limit ?? request.getResponseHeader("x-limit");
    return limit ? t("form.tooLarge", { limit }) : t("form.tooLargeUnknown");
  }
  const detail = page?.querySelector("#error-detail")?.textContent.trim();
  if (detail) return [detail, page.querySelector("#error-advice")?.textContent.trim()].filter(Boolean).join(" ");
  const told = [...(page?.querySelectorAll("[data-error-summary] li") ?? [])].map((each) => each.textContent.trim());
  if (told.length) return told.join(" ");
  if ((request.getResponseHeader("content-type") ?? "").includes("json")) {
    try {
      const problem = JSON.parse(request.responseText);
      if (problem.detail || problem.title) return problem.detail ?? problem.title;
    } catch {
      // an unreadable answer is told by its number below
    }
  }
  if (status === 403) return t("form.denied");
  if (status === 429) return t("form.tooMany");
  return t("form.failed", { status });
}

function place(form) {
  let box = form.querySelector(":scope .form-message");
  if (!box) {
    box = document.createElement("div");
    box.className = "form-message";
    box.setAttribute("aria-live", "polite");
    form.prepend(box);
  }
  return box;
}

function message(form, box) {
  box.setAttribute("role", "alert");
  // A form that is one button in a menu or a row has no room: it speaks at the top of the page.
  if (form.querySelector(".field, .form-message")) {
    place(form).replaceChildren(box);
    box.scrollIntoView({ block: "nearest" });
  } else {
    document.getElementById("flashes").replaceChildren(box);
    box.scrollIntoView({ block: "nearest" });
  }
}

const clearMessage = (form) => form.querySelector(":scope .form-message")?.replaceChildren();

function offerRetry(form, button) {
  const again = document.createElement("button");
  again.type = "button";
  again.className = "btn btn-sm";
  again.textContent = t("form.retry");
  again.addEventListener("click", () => submit(form, button));
  message(form, notice("warning", t("form.offline"), again));
}

function busy(form, button, on) {
  if (on) form.dataset.busy = "1";
  else delete form.dataset.busy;
  form.setAttribute("aria-busy", String(on));
  // aria-disabled and not disabled: the focus must not fall off the button.
  for (const each of button ? [button] : form.querySelectorAll("button:not([type=button])")) {
    each.classList.toggle("busy", on);
    if (on) each.setAttribute("aria-disabled", "true");
    else each.removeAttribute("aria-disabled");
  }
}

function showProgress(form) {
  const line = document.createElement("div");
  const bar = document.createElement("progress");
  const words = document.createElement("span");
  line.className = "upload-line";
  line.setAttribute("role", "status");
  bar.className = "bar";
  bar.max = 100;
  bar.setAttribute("aria-label", t("form.sending"));
  words.className = "nowrap";
  line.append(bar, words);
  place(form).append(line);
  return (event) => {
    if (!event) {
      line.remove();
      return;
    }
    const percent = event.lengthComputable ? Math.round((event.loaded / event.total) * 100) : 0;
    bar.value = percent;
    words.textContent = percent < 100 ? t("form.uploading", { percent }) : t("form.processing");
  };
}
