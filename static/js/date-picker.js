// A month to choose a day from, in a dialog below its field: weeks from Monday, words of the page's
// language, arrow keys by day and week, Page up and down by month, Home and End within the week.
import { language, t } from "./i18n.js";
import { icon } from "./messages.js";

const OFFSET = 7 * 3600 * 1000; // Asia/Ho_Chi_Minh, without summer time
const DAY = 24 * 3600 * 1000;
const local = language === "en" ? "en-GB" : language;
const words = (options) => new Intl.DateTimeFormat(local, { timeZone: "UTC", ...options });
const fullDay = words({ weekday: "long", day: "numeric", month: "long", year: "numeric" });
const monthName = words({ month: "long", year: "numeric" });
const weekday = words({ weekday: "long" });
const iso = (day) => day.toISOString().slice(0, 10);
const fromIso = (text) => new Date(`${text}T00:00:00Z`);
const today = () => fromIso(new Date(Date.now() + OFFSET).toISOString().slice(0, 10));
const column = (day) => (day.getUTCDay() + 6) % 7; // Monday is 0
const capital = (text) => text.charAt(0).toLocaleUpperCase(local) + text.slice(1);
const MONDAY = fromIso("2024-01-01");

/** "T2" … "CN", as calendars here have it. */
const shortWeekday = (day) => (language === "vi" ? (column(day) === 6 ? "CN" : `T${column(day) + 2}`) : words({ weekday: "short" }).format(day).slice(0, 2));

function moved(day, months) {
  const first = new Date(Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + months, 1));
  const last = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0)).getUTCDate();
  first.setUTCDate(Math.min(day.getUTCDate(), last));
  return first;
}

/**
 * Opens the month below `anchor`. `day`, `min` and `max` are ISO days or "". Resolves to an ISO day,
 * "" where it was cleared, or null where it was left.
 */
export function chooseDay(anchor, { day, min, max, label, required }) {
  const dialog = document.createElement("dialog");
  dialog.className = "date-picker";
  dialog.setAttribute("aria-label", label ? `${label} – ${t("date.choose")}` : t("date.choose"));
  let answer = null;
  const within = (moment) => (!min || iso(moment) >= min) && (!max || iso(moment) <= max);
  const nearest = (moment) => (min && iso(moment) < min ? fromIso(min) : max && iso(moment) > max ? fromIso(max) : moment);
  let cursor = nearest(day ? fromIso(day) : today());

  const button = (word, sign, act) => {
    const element = document.createElement("button");
    element.type = "button";
    element.className = sign ? "plain-button" : "btn btn-sm";
    if (sign) {
      element.setAttribute("aria-label", t(word));
      element.append(icon(sign));
    } else {
      element.textContent = t(word);
    }
    element.addEventListener("click", act);
    return element;
  };
  const take = (text) => {
    answer = text;
    dialog.close();
  };
  const head = document.createElement("div");
  const name = document.createElement("strong");
  head.className = "date-picker-head";
  name.setAttribute("aria-live", "polite");
  const turn = (months) => () => {
    cursor = nearest(moved(cursor, months));
    draw();
  };
  head.append(button("date.previous", "chevron-left", turn(-1)), name, button("date.next", "chevron-right", turn(1)));
  const table = document.createElement("table");
  table.setAttribute("role", "grid");
  const foot = document.createElement("div");
  foot.className = "date-picker-foot";
  if (within(today())) foot.append(button("date.today", null, () => take(iso(today()))));
  if (!required && day) foot.append(button("date.clear", null, () => take("")));
  foot.append(button("dialog.cancel", null, () => dialog.close()));
  dialog.append(head, table, foot);

  function cell(moment) {
    const place = document.createElement("td");
    place.setAttribute("role", "gridcell");
    place.setAttribute("aria-selected", String(iso(moment) === day));
    const element = document.createElement("button");
    element.type = "button";
    element.textContent = moment.getUTCDate();
    element.dataset.day = iso(moment);
    element.tabIndex = iso(moment) === iso(cursor) ? 0 : -1;
    element.setAttribute("aria-label", capital(fullDay.format(moment)));
    element.disabled = !within(moment);
    if (iso(moment) === iso(today())) element.setAttribute("aria-current", "date");
    if (moment.getUTCMonth() !== cursor.getUTCMonth()) element.className = "other-month";
    place.append(element);
    return place;
  }

  function draw(focus = false) {
    name.textContent = capital(monthName.format(cursor));
    table.setAttribute("aria-label", name.textContent);
    const headings = document.createElement("tr");
    for (let n = 0; n < 7; n += 1) {
      const moment = new Date(MONDAY.getTime() + n * DAY);
      const heading = document.createElement("th");
      heading.scope = "col";
      heading.abbr = weekday.format(moment);
      heading.textContent = shortWeekday(moment);
      headings.append(heading);
    }
    const first = new Date(Date.UTC(cursor.getUTCFullYear(), cursor.getUTCMonth(), 1));
    const begin = first.getTime() - column(first) * DAY;
    const rows = [];
    for (let week = 0; week < 6; week += 1) {
      const row = document.createElement("tr");
      for (let n = 0; n < 7; n += 1) row.append(cell(new Date(begin + (week * 7 + n) * DAY)));
      rows.push(row);
    }
    const top = document.createElement("thead");
    const body = document.createElement("tbody");
    top.append(headings);
    body.append(...rows);
    table.replaceChildren(top, body);
    if (focus) table.querySelector("[tabindex='0']").focus();
  }

  table.addEventListener("click", (event) => {
    const chosen = event.target.closest("[data-day]");
    if (chosen) take(chosen.dataset.day);
  });
  table.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7, Home: -column(cursor), End: 6 - column(cursor) }[event.key];
    const months = { PageUp: -1, PageDown: 1 }[event.key];
    if (by === undefined && months === undefined) return;
    event.preventDefault();
    cursor = nearest(months ? moved(cursor, event.shiftKey ? months * 12 : months) : new Date(cursor.getTime() + by * DAY));
    draw(true);
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // beside it
  });
  // Nothing in here belongs to the form around it.
  for (const kind of ["input", "change", "submit"]) dialog.addEventListener(kind, (event) => event.stopPropagation());

  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer);
    });
    document.body.append(dialog);
    draw();
    dialog.showModal();
    const field = anchor.getBoundingClientRect();
    const own = dialog.getBoundingClientRect();
    const below = field.bottom + 4 + own.height <= innerHeight;
    dialog.style.left = `${Math.max(8, Math.min(field.left, innerWidth - own.width - 8))}px`;
    dialog.style.top = `${Math.max(8, below ? field.bottom + 4 : field.top - own.height - 4)}px`;
    table.querySelector("[tabindex='0']").focus();
  });
}
