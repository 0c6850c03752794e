// File fields in the words of the page: a browser's own "Choose Files – No file chosen" speaks its
// language. The field itself stays, unseen, over what is drawn: clicks, keys and dropped files reach it.
import { t } from "./i18n.js";
import { icon } from "./messages.js";

function enhance(field) {
  const box = document.createElement("span");
  const shown = document.createElement("span");
  const button = document.createElement("span");
  const names = document.createElement("span");
  box.className = "file-box";
  shown.className = "file-shown form-control";
  shown.setAttribute("aria-hidden", "true"); // the field tells the same
  button.className = "file-button";
  button.append(icon("upload"), t(field.multiple ? "file.chooseMany" : "file.choose"));
  names.className = "clip";
  shown.append(button, names);
  const tell = () => {
    const chosen = [...field.files].map((file) => file.name);
    names.textContent = chosen.length > 2 ? t("file.several", { n: chosen.length, names: chosen.join(", ") }) : chosen.join(", ") || t("file.none");
    names.title = chosen.join("\n");
  };
  field.replaceWith(box);
  box.append(field, shown);
  // Afterwards: the form may empty the field because of what was chosen elsewhere in it.
  const later = () => setTimeout(tell);
  for (const name of ["change", "reset"]) (field.form ?? field).addEventListener(name, later);
  tell();
}

const fields = (root) => root.querySelectorAll("input[type=file]:not([hidden], .file-box > *)");

for (const field of fields(document)) enhance(field);
new MutationObserver((changes) => {
  for (const { addedNodes } of changes) for (const node of addedNodes) if (node instanceof Element) for (const field of fields(node)) enhance(field);
}).observe(document.body, { childList: true, subtree: true });
