// What has and what has not reached the server, in words: one line for the state of the sending, and a
// list of what waits or was refused, with what can be done about it.
import { clockTime, t } from "./i18n.js";
import { icon } from "./messages.js";

const SIGNS = { refused: "alert-circle", login: "login", another: "user", now: "cloud-upload", waiting: "cloud-off", sent: "cloud-check" };

/** The state of the sending: {kind, words}. `live`: whether the line to the server is up. */
function state(queue, entries, live, lastSent) {
  const refused = entries.filter((entry) => entry.refused);
  const held = entries.length - refused.length;
  if (refused.length) return { kind: "refused", words: t("sending.refused", { reason: refused.at(-1).refused.detail }) };
  if (held && queue.held === "login") return { kind: "login", words: t("sending.login") };
  if (held && queue.held === "another") return { kind: "another", words: t("sending.another") };
  if (held && live && !queue.held) return { kind: "now", words: t("sending.now") };
  if (held) return { kind: "waiting", words: t("sending.waiting") };
  if (lastSent) return { kind: "sent", words: t("sending.sent", { time: clockTime(lastSent) }) };
  return { kind: "none", words: "" };
}

/** Draws both; `box` is the line, `list` the list with a wrapper around it. */
export function drawSending({ queue, entries, live, lastSent, box, list }) {
  const { kind, words } = state(queue, entries, live, lastSent);
  if (box.dataset.sending !== kind || box.textContent !== words) {
    box.dataset.sending = kind;
    box.replaceChildren(...(words ? [icon(SIGNS[kind]), document.createTextNode(words)] : []));
  }
  if (kind === "login") box.append(button("sending.logIn", () => queue.logIn()));
  list.parentElement.hidden = !entries.length || (entries.length === 1 && kind === "now");
  list.replaceChildren(...entries.map((entry) => line(queue, entry)));
}

function line(queue, entry) {
  const item = document.createElement("li");
  const word = document.createElement("span");
  word.className = `state state-${entry.said.state}`;
  word.textContent = t("waiting.entry", {
    state: t(`state.${entry.said.state}`),
    time: clockTime(new Date(entry.observed_at)),
  });
  item.append(word);
  if (!entry.refused) {
    item.append(t("waiting.unsent"));
    return item;
  }
  const why = document.createElement("span");
  why.className = "waiting-why";
  why.textContent = t("waiting.refused", { reason: entry.refused.detail });
  const hint = t(`waiting.hint.${entry.refused.code}`);
  if (!hint.startsWith("waiting.hint.")) why.textContent += ` ${hint}`;
  item.append(why, button("waiting.again", () => queue.retry(entry.number)), button("waiting.drop", () => queue.drop(entry.number)));
  return item;
}

function button(word, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "btn btn-sm";
  made.textContent = t(word);
  made.addEventListener("click", act);
  return made;
}
