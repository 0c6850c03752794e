// The bell in the shell: how many notices are unread.
//
// The page of notices says it itself. Elsewhere it is asked for when a page opens, unless it has just been;
// at once when the live line or the browser's push tells of one; and otherwise from time to time while the
// page is looked at, more seldom where a live line tells by itself. Never by all pages in the same second.
import { t } from "./i18n.js";

const FRESH = 20_000;
const EVERY = 300_000;
const EVERY_WITH_LINE = 1_800_000;
const SPREAD = 5_000;
const KEPT = "bell";

const bell = document.querySelector("[data-bell]");

const show = (count) => {
  const badge = bell.querySelector("[data-bell-count]");
  badge.textContent = count > 99 ? "99+" : count;
  badge.hidden = count === 0;
  bell.setAttribute("aria-label", count ? t("bell.unread", { count }) : t("bell.none"));
  bell.title = bell.getAttribute("aria-label");
};

const kept = () => {
  try {
    const found = JSON.parse(sessionStorage.getItem(KEPT));
    return found?.of === bell.dataset.bell ? found : null;
  } catch {
    return null;
  }
};

const keep = (count) => {
  show(count);
  try {
    sessionStorage.setItem(KEPT, JSON.stringify({ of: bell.dataset.bell, at: Date.now(), count }));
  } catch {
    // A browser that keeps nothing asks on each page.
  }
};

const ask = async () => {
  try {
    const answer = await fetch("/notices/count", { headers: { accept: "application/json" } });
    if (!answer.ok) return;
    const { unread } = await answer.json();
    keep(unread);
  } catch {
    // Without a line the number stays as it was; the next time will do.
  }
};

const soon = (most = SPREAD) => setTimeout(ask, Math.random() * most);

const again = () => {
  const pause = document.documentElement.dataset.liveLine ? EVERY_WITH_LINE : EVERY;
  setTimeout(() => {
    if (!document.hidden) ask();
    again();
  }, pause * (0.8 + Math.random() * 0.4));
};

if (bell) {
  if (bell.dataset.unread) keep(Number(bell.dataset.unread));
  const before = kept();
  if (before) show(before.count);
  if (!before || Date.now() - before.at > FRESH) ask();
  document.addEventListener("live:notice:telling", ask);
  // Opening a notice reads it: the next page asks.
  document.addEventListener("click", (event) => {
    if (event.target.closest('a[href^="/notices/"]')) sessionStorage.removeItem(KEPT);
  });
  document.addEventListener("live:again", () => soon());
  navigator.serviceWorker?.addEventListener("message", (event) => event.data?.type === "notice" && ask());
  document.addEventListener("visibilitychange", () => {
    const last = kept();
    if (!document.hidden && (!last || Date.now() - last.at > EVERY)) soon(1_000);
  });
  again();
}
