// The page that stands in for those that cannot be had: which check-ins are kept here, what waits.
import "./checkin-store.js";
import { shortMoment, t } from "./i18n.js";

const at = (id) => document.getElementById(id);

/** The kept pages, the newest first: {address, title, since}. */
async function kept() {
  const found = [];
  for (const name of (await caches.keys()).filter((one) => one.startsWith("pages-"))) {
    const pages = await caches.open(name);
    for (const request of await pages.keys()) {
      const answer = await pages.match(request);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const words = [...page.querySelectorAll("[data-kept-title]")].map((one) => one.textContent.trim());
      found.push({
        address: new URL(request.url).pathname,
        title: words.join(" – ") || page.title,
        since: new Date(answer.headers.get("x-kept-at")),
      });
    }
  }
  return found.sort((one, other) => other.since - one.since);
}

const pages = await kept().catch(() => []);
at("kept-none").hidden = pages.length > 0;
at("kept-list").replaceChildren(
  ...pages.map(({ address, title, since }) => {
    const item = document.createElement("li");
    const link = document.createElement("a");
    const when = document.createElement("span");
    link.href = address;
    link.className = "grow";
    link.textContent = title;
    when.className = "soft small";
    when.textContent = t("kept.since", { time: shortMoment(since) });
    item.append(link, when);
    return item;
  }),
);

const waiting = await self.checkInStore.all().catch(() => []);
at("kept-waiting").hidden = waiting.length === 0;
at("kept-waiting").textContent = t("kept.waiting", { n: waiting.length });

at("reload").addEventListener("click", () => location.reload());
addEventListener("online", () => location.reload());
