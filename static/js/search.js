// The search of the top bar: `/` or Ctrl-K opens it; results come as an HTML fragment of
//   <div role="group" aria-label="…"><div class="group-name">…</div><a role="option" href="…">…</a></div>
import { t } from "./i18n.js";

const dialog = document.getElementById("search-dialog");
const PAUSE = 120; // ms after the last key

if (dialog) {
  const input = dialog.querySelector("#search-input");
  const results = dialog.querySelector("#search-results");
  const status = dialog.querySelector("#search-status");
  let timer = null;
  let running = null;
  let chosen = -1;

  const options = () => [...results.querySelectorAll('[role="option"]')];

  const choose = (index) => {
    const all = options();
    chosen = all.length ? (index + all.length) % all.length : -1;
    all.forEach((option, i) => option.setAttribute("aria-selected", String(i === chosen)));
    if (chosen >= 0) {
      input.setAttribute("aria-activedescendant", all[chosen].id);
      all[chosen].scrollIntoView({ block: "nearest" });
    } else {
      input.removeAttribute("aria-activedescendant");
    }
  };

  const show = (html) => {
    // The fragment is markup of our own server, escaped there; scripts in it would not run anyway.
    const part = new DOMParser().parseFromString(html, "text/html");
    results.replaceChildren(...part.body.childNodes);
    const all = options();
    all.forEach((option, i) => {
      option.id = `search-option-${i}`;
      option.tabIndex = -1;
    });
    input.setAttribute("aria-expanded", String(all.length > 0));
    status.textContent = all.length
      ? t("search.found", { count: all.length })
      : input.value.trim()
        ? t("search.none", { query: input.value.trim() })
        : "";
    if (!all.length) results.replaceChildren();
    choose(all.length ? 0 : -1);
  };

  const look = async () => {
    const query = input.value.trim();
    running?.abort();
    if (!query) {
      show("");
      return;
    }
    running = new AbortController();
    try {
      const answer = await fetch(`/search/suggest?q=${encodeURIComponent(query)}`, {
        headers: { accept: "text/html", "x-enhanced": "part" },
        signal: running.signal,
      });
      if (!answer.ok) throw new Error(String(answer.status));
      show(await answer.text());
    } catch (failure) {
      if (failure.name === "AbortError") return;
      results.replaceChildren();
      status.textContent = t("search.failed");
    }
  };

  const open = () => {
    if (dialog.open) return;
    dialog.showModal();
    input.select();
  };

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(look, PAUSE);
  });
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return; // Vietnamese input methods use these keys themselves
    if (event.key === "ArrowDown") choose(chosen + 1);
    else if (event.key === "ArrowUp") choose(chosen - 1);
    else if (event.key === "Enter") options()[chosen]?.click();
    else return;
    event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-search-open]")) open();
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable=true]");
    if (((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") || (event.key === "/" && !typing)) {
      if (document.querySelector("dialog[open]")) return;
      event.preventDefault();
      open();
    }
  });
}
