// The list of meetings: says whether something on this device still waits, and sends it; keeps the pages
// of the meetings of today, so that they open without a network.
import { CheckInQueue } from "./checkin-queue.js";
import { shortMoment, t } from "./i18n.js";
import { keep, keptAt } from "./offline.js";

const MOST_KEPT = 12;

const { owner } = JSON.parse(document.getElementById("check-in-data").textContent);
const queue = new CheckInQueue(owner);
const box = document.getElementById("unsent");

function draw() {
  const waiting = queue.entries;
  const refused = waiting.filter((entry) => entry.refused).length;
  box.hidden = waiting.length === 0;
  const words = { login: "unsent.login", another: "unsent.another", offline: "unsent.offline" };
  const word = words[navigator.onLine ? queue.held : "offline"] ?? "unsent.some";
  box.querySelector("[data-unsent-text]").textContent =
    refused === waiting.length ? t("unsent.refused", { n: refused }) : t(word, { n: waiting.length - refused });
}

queue.addEventListener("change", draw);

if (keptAt) {
  const bar = document.getElementById("kept-bar");
  bar.hidden = false;
  bar.querySelector("p").textContent = t("kept.list", { time: shortMoment(keptAt) });
  addEventListener("online", () => location.reload());
} else if (!location.search) {
  const open = [...document.querySelectorAll("a[data-keep]")].slice(0, MOST_KEPT);
  keep(["/check-in", ...open.map((link) => link.dataset.keep || link.getAttribute("href"))]);
}
