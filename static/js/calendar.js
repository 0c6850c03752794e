// The calendar as offices here read it: weeks from Monday, 24 hours, "Th 2 23/11".
import { Calendar, classicTheme, dayGrid, interaction, list, timeGrid, vi } from "../vendor/fullcalendar-7.1.0/fullcalendar.min.js";
import { language } from "./i18n.js";

const clock = { hour: "2-digit", minute: "2-digit", hour12: false };
const numbers = { day: "2-digit", month: "2-digit", year: "numeric" };
const narrow = matchMedia("(width < 40rem)");
const OFFSET = 7 * 3600 * 1000; // Asia/Ho_Chi_Minh, without summer time
const HOURS = { first: 7, last: 18 }; // of the office; the day is drawn from and to these
const clockOf = (hour) => `${two(hour)}:00`;
const two = (number) => String(number).padStart(2, "0");

/** "Th 2 23/11" above a day of the week view. A day is read where it is meant: in Viet Nam. */
function dayHeading({ date, view }) {
  const day = new Date(date.getTime() + OFFSET);
  const weekday = day.toLocaleDateString(language, { weekday: "short", timeZone: "UTC" });
  if (view.type.startsWith("dayGridMonth")) return weekday;
  return `${weekday} ${two(day.getUTCDate())}/${two(day.getUTCMonth() + 1)}`;
}

/** A meeting before or after office hours, as in a flood, must not stand outside of what is drawn. */
function widen(calendar, events) {
  if (!calendar) return;
  const timed = events.filter((event) => !event.allDay && event.startStr && event.endStr);
  const hour = (text) => Number(text.slice(11, 13));
  const ends = ({ startStr, endStr }) => (startStr.slice(0, 10) < endStr.slice(0, 10) ? 24 : hour(endStr) + (endStr.slice(14, 16) === "00" ? 0 : 1));
  const wanted = {
    slotMinTime: clockOf(Math.min(HOURS.first, ...timed.map(({ startStr, endStr }) => (startStr.slice(0, 10) < endStr.slice(0, 10) ? 0 : hour(startStr))))),
    slotMaxTime: clockOf(Math.max(HOURS.last, ...timed.map(ends))),
  };
  for (const [option, value] of Object.entries(wanted)) if (calendar.getOption(option) !== value) calendar.setOption(option, value);
}

/**
 * Draws a calendar into `element`. `options` are FullCalendar's own and win over what stands here.
 * Events: {id, title, start, end, url, extendedProps: {state}}; `events` may be a URL that answers
 * them for ?start=&end=.
 */
export function drawCalendar(element, options = {}) {
  element.classList.add("calendar");
  let calendar = null;
  calendar = new Calendar(element, {
    plugins: [dayGrid, timeGrid, list, interaction, classicTheme],
    locales: [vi],
    locale: language,
    timeZone: "Asia/Ho_Chi_Minh",
    firstDay: 1,
    initialView: narrow.matches ? "listWeek" : "timeGridWeek",
    headerToolbar: narrow.matches
      ? { start: "prev,next", center: "title", end: "listWeek,dayGridMonth" }
      : { start: "prev,next today", center: "title", end: "dayGridMonth,timeGridWeek,timeGridDay,listWeek" },
    toolbarTitleClass: "calendar-title",
    height: "auto",
    slotMinTime: clockOf(HOURS.first),
    slotMaxTime: clockOf(HOURS.last),
    allDaySlot: false,
    eventsSet: (events) => widen(calendar, events),
    nowIndicator: true,
    dayMaxEvents: 4,
    eventTimeFormat: clock,
    slotHeaderFormat: clock,
    views: {
      dayGridMonth: { dayHeaderContent: dayHeading },
      timeGridWeek: { dayHeaderContent: dayHeading, titleFormat: numbers },
      timeGridDay: { titleFormat: { weekday: "long", ...numbers } },
      listWeek: { titleFormat: numbers },
      listDay: { titleFormat: { weekday: "long", ...numbers } },
    },
    eventClass: ({ event, view }) =>
      `meeting mstate-${event.extendedProps.state ?? "scheduled"} ${view.type.startsWith("timeGrid") ? "meeting-block" : "meeting-line"} ${view.type.startsWith("list") ? "meeting-row" : ""}`,
    ...options,
  });
  calendar.render();
  return calendar;
}
