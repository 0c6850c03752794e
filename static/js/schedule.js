// The calendar of meetings: what is shown stands in the address; dragging asks before it moves.
import { drawCalendar } from "./calendar.js";
import "./combobox.js";
import { say } from "./messages.js";
import { t } from "./i18n.js";

const place = document.getElementById("calendar");
const form = document.getElementById("meeting-filters");
const dialog = document.getElementById("move-dialog");
const narrow = matchMedia("(width < 40rem)");
const VIEWS = { month: "dayGridMonth", week: "timeGridWeek", day: "timeGridDay" };
const NARROW = { month: "listMonth", week: "listWeek", day: "listDay" }; // titles want the whole width
const shown = () => (narrow.matches ? NARROW : VIEWS);
const wanted = place.dataset.view || "week";
const mayBook = place.dataset.mayBook === "yes";
let pending = null; // the drop that waits for an answer

const filters = () => {
  const { unit, kind, state } = form.elements;
  return Object.fromEntries([["unit", unit.value], ["kind", kind.value], ["state", state.value]].filter(([, value]) => value));
};

const parts = (iso) => ({ date: iso.slice(0, 10), clock: iso.slice(11, 16) });

function remember(view, day) {
  const address = new URLSearchParams({ view, date: day, ...filters() });
  history.replaceState(null, "", `/meetings?${address}`);
  form.elements.view.value = view;
  form.elements.date.value = day;
  for (const link of form.querySelectorAll(".segmented a")) {
    const target = new URL(link.href);
    const own = target.searchParams.get("view");
    for (const key of ["unit", "kind", "state"]) target.searchParams.delete(key);
    for (const [key, value] of Object.entries(filters())) target.searchParams.set(key, value);
    target.searchParams.set("date", day);
    link.href = target;
    if (own === view) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

const calendar = drawCalendar(place, {
  initialView: shown()[wanted],
  initialDate: place.dataset.date,
  headerToolbar: { start: "prev,next today", center: "", end: "title" },
  events: { url: "/meetings/events", extraParams: filters, failure: () => say("danger", t("calendar.failed")) },
  noEventsContent: () => t("calendar.none"),
  selectable: mayBook && !narrow.matches,
  selectMirror: true,
  editable: false, // each meeting says for itself
  eventDurationEditable: true,
  snapDuration: "00:15:00",
  datesSet: ({ view }) => {
    const name = Object.entries(shown()).find(([, type]) => type === view.type)?.[0] ?? "week";
    const { calendar: drawn } = view;
    remember(name, drawn.formatIso(drawn.getDate(), true).slice(0, 10));
  },
  select: ({ startStr, endStr, allDay }) => {
    const from = parts(startStr);
    const address = new URLSearchParams(allDay ? { date: from.date } : { date: from.date, start: from.clock, end_date: parts(endStr).date, end: parts(endStr).clock });
    location.assign(`/meetings/new?${address}`);
  },
  eventDrop: move,
  eventResize: move,
});

async function move(change) {
  const { event } = change;
  const from = parts(event.startStr);
  const until = parts(event.endStr);
  const answer = await fetch(`/meetings/${event.id}/move?${new URLSearchParams({ date: from.date, start: from.clock, end_date: until.date, end: until.clock })}`, {
    headers: { accept: "text/html" },
  }).catch(() => null);
  if (!answer?.ok) {
    change.revert();
    const page = answer ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
    say("danger", page?.getElementById("error-detail")?.textContent.trim() || t("calendar.failed"));
    return;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.getElementById("move-place").replaceChildren(...page.body.childNodes);
  pending = change;
  dialog.showModal();
  dialog.querySelector("textarea, button")?.focus();
}

// Closing without sending leaves the meeting where it was.
dialog.addEventListener("close", () => {
  pending?.revert();
  pending = null;
});
dialog.addEventListener("form:done", () => {
  pending = null;
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  refresh();
});
form.addEventListener("change", (event) => {
  if (event.target.matches("select")) refresh();
});
form.addEventListener("input", (event) => {
  if (event.target.matches("[data-chosen]")) refresh();
});
form.addEventListener("focusout", (event) => {
  if (event.target.matches("[role=combobox]") && !event.target.value) refresh();
});
form.addEventListener("click", (event) => {
  const link = event.target.closest(".segmented a");
  const view = link && new URL(link.href).searchParams.get("view");
  if (!link || !VIEWS[view] || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  calendar.changeView(shown()[view]);
});

function refresh() {
  remember(form.elements.view.value || wanted, form.elements.date.value);
  calendar.refetchEvents();
}
