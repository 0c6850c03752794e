// The state of the live line on the board: a lamp, and a bar the moment it is cut. What is old is never
// taken for live.
import { write } from "./board-lists.js";
import { clockTime, t } from "./i18n.js";
import { logInAgain } from "./login.js";

const STOPPED = ["logged_out", "denied", "unknown"];
const TAGS = { in_progress: "tag-green", scheduled: "tag-blue", cancelled: "tag-red tag-struck", postponed: "tag-amber" };

/** Keeps lamp, bar and the meeting's state in step with a `LiveMeeting`. */
export function keepLine(line, board, island) {
  const at = (id) => document.getElementById(id);
  const shownAsOf = Date.parse(document.querySelector('meta[name="server-now"]').content);

  function drawLine() {
    const state = line.line;
    const stopped = STOPPED.includes(state);
    const chip = at("line-chip");
    chip.dataset.line = stopped ? "stopped" : state;
    write(chip.querySelector("[data-line-text]"), t(`line.${stopped ? "stopped" : state}`));
    const bar = at("stale-bar");
    const stale = stopped || state === "stale";
    board.dataset.stale = stale;
    bar.hidden = !stale;
    if (!stale) return;
    const time = clockTime(new Date(line.heardAt ?? shownAsOf));
    write(bar.querySelector("[data-stale-text]"), t(stopped ? `stale.${state}` : "stale.cut", { time }));
    const action = at("stale-action");
    action.hidden = state === "denied" || state === "unknown";
    action.textContent = t(state === "logged_out" ? "stale.login" : "stale.now");
  }

  function drawMeeting() {
    const tag = document.querySelector("#meeting-state .tag");
    const { state } = line.meeting;
    if (!state || !tag || state === island.state) return;
    island.state = state;
    tag.className = `tag ${TAGS[state] ?? ""}`;
    tag.textContent = t(`meeting.${state}`);
  }

  at("stale-action").addEventListener("click", async () => {
    if (line.line === "logged_out" && !(await logInAgain())) return;
    line.retryNow();
  });
  line.addEventListener("line", drawLine);
  line.addEventListener("snapshot", drawMeeting);
  line.addEventListener("meeting", drawMeeting);
}
