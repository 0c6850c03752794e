// Reminds absent points: one by its button, all that the list shows after a question.
import { grouped } from "./board-lists.js";
import { send } from "./csrf.js";
import { ask } from "./dialogs.js";
import { t } from "./i18n.js";
import { say } from "./messages.js";

/** Asks the server to remind points (ids); resolves with {told, lately, there, reminders}, or null. */
async function remind(meeting, points) {
  const answer = await send(`/meetings/${meeting}/board/remind`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify({ points }),
  }).catch(() => null);
  if (answer?.ok) return answer.json();
  const problem = await answer?.json().catch(() => null);
  say("danger", problem?.detail ?? t("remind.failed"));
  return null;
}

/** Wires the buttons of the list; `listed()` gives the ids shown, `told(reminders)` learns what happened. */
export function keepReminders(section, model, listed, told) {
  async function send_to(points, button) {
    button.disabled = true;
    const done = await remind(model.island.meeting, points);
    button.disabled = false;
    if (!done) return;
    say(done.told ? "success" : "info", done.told ? t("remind.told", { n: grouped(done.told), lately: grouped(done.lately) }) : t("remind.nobody"));
    told(done.reminders);
  }
  section.addEventListener("click", async (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.remind) await send_to([Number(button.dataset.remind)], button);
    else if (button?.id === "remind-all") {
      const points = listed();
      if (points.length && (await ask(t("remind.ask", { n: grouped(points.length) }), t("remind.all", { n: grouped(points.length) })))) await send_to(points, button);
    }
  });
}
