// The line test of one point: what colleagues say of it appears by itself, and the focus stays where the
// thumb was although each answer of the server replaces the list.
import "./go-decision.js";
import { LiveMeeting } from "./live.js";

const { meeting, point, scope, closed } = JSON.parse(document.getElementById("line-test-data").textContent);
let pressed = "";

document.addEventListener("click", (event) => {
  pressed = event.target.closest("#line-test button")?.id ?? "";
});
document.addEventListener("part:replaced", (event) => {
  if (event.target.id !== "line-test") return;
  const note = pressed.endsWith("-problem") ? document.getElementById(`field-note-${pressed.slice(0, -8)}`) : null;
  const next = note && !note.value ? note : document.getElementById(pressed);
  if (!document.activeElement || document.activeElement === document.body) next?.focus();
});

/** Not while somebody types or sends: their own words would be lost. */
const occupied = () => document.activeElement?.matches("#line-test input") || document.querySelector("#line-test form[data-busy]");

async function renew() {
  if (occupied()) return;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html", "x-enhanced": "part" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("line-test");
    if (!fresh || occupied()) return;
    const focused = document.activeElement?.id;
    document.getElementById("line-test").replaceWith(document.importNode(fresh, true));
    if (focused) document.getElementById(focused)?.focus();
  } catch {
    // Without a network the list stays as it is; it is renewed with the next change.
  }
}

document.addEventListener("live:notice:line_test", ({ detail }) => {
  if (detail?.point === undefined || detail.point === point) renew();
});
document.addEventListener("live:again", renew);

if (!closed) new LiveMeeting(meeting, scope).open();
