// Short messages to the person: at the top of the page, or carried over to the next page.

const SIGNS = { success: "circle-check", warning: "alert-triangle", danger: "alert-circle", info: "info-circle" };
const CARRIED = "carried-messages";

/** An icon of the sprite as an element. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `/static/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/** A notice element; `kind` is info, success, warning or danger; `extra` are further children. */
export function notice(kind, text, ...extra) {
  const box = document.createElement("div");
  box.className = `notice notice-${kind}`;
  const words = document.createElement("p");
  words.className = "grow";
  words.textContent = text;
  box.append(icon(SIGNS[kind] ?? SIGNS.info), words, ...extra);
  return box;
}

/** Shows a message in the live region of the page. */
export function say(kind, text) {
  const region = document.getElementById("flashes");
  const box = notice(kind, text);
  box.dataset.flash = "";
  region?.append(box);
  return box;
}

/** Keeps the messages of an answer that is about to be loaded again as a page of its own. */
export function carry(answer) {
  const found = [...answer.querySelectorAll("[data-flash]")].map((box) => ({
    kind: /notice-(\w+)/.exec(box.className)?.[1] ?? "info",
    text: box.querySelector("p")?.textContent.trim() ?? "",
  }));
  if (found.length) sessionStorage.setItem(CARRIED, JSON.stringify(found));
}

const carried = sessionStorage.getItem(CARRIED);
if (carried) {
  sessionStorage.removeItem(CARRIED);
  const shown = new Set([...document.querySelectorAll("[data-flash] p")].map((p) => p.textContent.trim()));
  for (const { kind, text } of JSON.parse(carried)) if (!shown.has(text)) say(kind, text);
}

document.addEventListener("click", (event) => {
  event.target.closest("[data-dismiss]")?.closest(".notice")?.remove();
});
