// The list of meetings: says whether something on this device still waits, and sends it.
import { CheckInQueue } from "./checkin-queue.js";
import { t } from "./i18n.js";

const { person } = JSON.parse(document.getElementById("check-in-data").textContent);
const queue = new CheckInQueue(person);
const box = document.getElementById("unsent");

function draw() {
  const waiting = queue.entries;
  const refused = waiting.filter((entry) => entry.refused).length;
  box.hidden = waiting.length === 0;
  box.querySelector("[data-unsent-text]").textContent =
    refused === waiting.length ? t("unsent.refused", { n: refused }) : t("unsent.some", { n: waiting.length - refused });
}

queue.addEventListener("change", draw);
draw();
queue.flush();
