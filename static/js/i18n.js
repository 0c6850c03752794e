// Words come from the page: JSON islands of class `script-words`, written by the macro script_words.

const words = new Map();

const gather = () => {
  for (const island of document.querySelectorAll("script.script-words:not([data-read])")) {
    island.dataset.read = "";
    for (const [key, text] of Object.entries(JSON.parse(island.textContent))) words.set(key, text);
  }
};

/** The text of `key` with `{name}` replaced from `fields`; a missing key is shown as it is. */
export function t(key, fields = {}) {
  if (!words.has(key)) gather();
  return (words.get(key) ?? key).replace(/\{(\w+)\}/g, (hole, name) => fields[name] ?? hole);
}

export const language = document.documentElement.lang || "vi";

// Made once: a list of thousands writes the time in each row.
const clock = new Intl.DateTimeFormat(language, { hour12: false, hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** 08:05:09 */
export const clockTime = (moment) => clock.format(moment);

/** 08:05 today, 23/11 08:05 on other days */
export const shortMoment = (moment) => {
  const time = moment.toLocaleTimeString(language, { hour12: false, hour: "2-digit", minute: "2-digit" });
  if (moment.toDateString() === new Date().toDateString()) return time;
  return `${moment.toLocaleDateString(language, { day: "2-digit", month: "2-digit" })} ${time}`;
};
