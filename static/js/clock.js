// <time data-countdown datetime="…">: time until, or since, an instant, kept fresh.
// Runs on the server's clock: <meta name="server-now"> says what it was when the page was made.
import { t } from "./i18n.js";

// A page that was kept for the time without a network tells of long ago: then what was last known holds.
const KNOWN = "clock-offset";
const stated = Date.parse(document.querySelector('meta[name="server-now"]')?.content ?? "");
let offset = 0;
if (document.documentElement.dataset.kept) offset = Number(localStorage.getItem(KNOWN)) || 0;
else if (!Number.isNaN(stated)) setServerNow(stated);

/** The server has just told its time, in ms. */
export function setServerNow(now) {
  offset = now - Date.now();
  localStorage.setItem(KNOWN, offset);
}

/** The server's time now, in ms. */
export const serverNow = () => Date.now() + offset;

/** "2 ngày 3 giờ", "45 phút", "50 giây": two units at most, seconds only in the last five minutes. */
export function span(milliseconds) {
  const seconds = Math.floor(Math.abs(milliseconds) / 1000);
  const parts = [
    ["clock.days", Math.floor(seconds / 86400)],
    ["clock.hours", Math.floor((seconds % 86400) / 3600)],
    ["clock.minutes", Math.floor((seconds % 3600) / 60)],
    ["clock.seconds", seconds < 300 ? seconds % 60 : 0],
  ];
  const first = parts.findIndex(([, n]) => n > 0);
  if (first < 0) return t("clock.seconds", { n: 0 });
  return parts
    .slice(first, first + 2)
    .filter(([, n]) => n > 0)
    .map(([key, n]) => t(key, { n }))
    .join(" ");
}

/** Fills what has just come onto the page, too. */
export function refresh() {
  const now = serverNow();
  for (const element of document.querySelectorAll("time[data-countdown]")) {
    const left = Date.parse(element.dateTime) - now;
    const text =
      Math.abs(left) < 1000 ? t("clock.now") : t(left > 0 ? "clock.left" : "clock.past", { time: span(left) });
    if (element.textContent !== text) element.textContent = text;
    element.toggleAttribute("data-past", left <= 0);
  }
  for (const element of document.querySelectorAll("[data-now]")) {
    const text = new Date(now).toLocaleTimeString("vi-VN", { timeZone: "Asia/Ho_Chi_Minh", hour12: false });
    if (element.textContent !== text) element.textContent = text;
  }
}

refresh();
setInterval(refresh, 1000);
