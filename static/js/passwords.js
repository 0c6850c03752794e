// Beside each password a button that shows what is typed: people mistype less what they can read.
import { t } from "./i18n.js";
import { icon } from "./messages.js";

function give(input) {
  if (input.closest(".password-line")) return;
  const line = document.createElement("div");
  const button = document.createElement("button");
  line.className = "password-line";
  button.type = "button";
  button.className = "plain-button password-toggle";
  button.setAttribute("aria-controls", input.id);
  input.replaceWith(line);
  line.append(input, button);
  const show = (on) => {
    input.type = on ? "text" : "password";
    button.setAttribute("aria-pressed", String(on));
    button.setAttribute("aria-label", t(on ? "password.hide" : "password.show"));
    button.replaceChildren(icon(on ? "eye-off" : "eye"));
  };
  button.addEventListener("click", () => {
    show(input.type === "password");
    input.focus();
  });
  // What leaves the page leaves it hidden: browsers keep the text of visible fields.
  input.form?.addEventListener("submit", () => show(false), { capture: true });
  show(false);
}

const giveAll = (part) => part.querySelectorAll("input[type=password]").forEach(give);

giveAll(document);
document.addEventListener("part:replaced", (event) => giveAll(event.target));
