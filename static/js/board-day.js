// The day of the meeting as a line under the counts: a slider shows the board as it was at an instant,
// plays the day, and goes back to now.
import { grouped, make, write } from "./board-lists.js";
import { clockTime, t } from "./i18n.js";

const AGAIN_EVERY = 60_000;
const PAUSE = 150; // ms after the last movement of the slider
const STRIDES = 48; // of a whole day when it plays
const BEAT = 600; // ms between two strides at least
const STEP = 30_000; // ms between two places of the slider
const HIGH = 100;
const WIDE = 1000;
const SVG = "http://www.w3.org/2000/svg";

export class BoardDay extends EventTarget {
  /** The instant that is shown, or null for now. */
  instant = null;
  #section;
  #address;
  #scope;
  #day = null;
  #fetching = null;
  #pause = null;
  #playing = null;

  /** Events: "instant" ({at: Date, frame}, or null for now). */
  constructor(section, meeting, scope) {
    super();
    this.#section = section;
    this.#address = `/meetings/${meeting}/board`;
    this.#scope = scope;
    this.#slider.addEventListener("input", () => {
      this.stop();
      this.#preview();
      clearTimeout(this.#pause);
      this.#pause = setTimeout(() => this.go(this.#meant()), PAUSE);
    });
    section.querySelector("#day-now").addEventListener("click", () => this.go(null));
    section.querySelector("#day-play").addEventListener("click", () => (this.#playing ? this.stop() : this.play()));
    setInterval(() => !document.hidden && !this.#day?.over && this.learn(), AGAIN_EVERY);
  }

  get #slider() {
    return this.#section.querySelector("input[type=range]");
  }

  /** What the slider means: an instant, or null at its end while the day goes on. */
  #meant() {
    const { value, max } = this.#slider;
    if (Number(value) >= Number(max) && !this.#day.over) return null;
    return new Date(Math.min(this.#day.until, this.#day.since + Number(value) * STEP));
  }

  async learn() {
    const answer = await fetch(this.#url("day"), { headers: { accept: "application/json" } }).catch(() => null);
    if (!answer?.ok) return;
    const told = await answer.json();
    this.#day = { ...told, since: Date.parse(told.since), until: Date.parse(told.until), start: Date.parse(told.start) };
    const slider = this.#slider;
    slider.max = Math.max(1, Math.ceil((this.#day.until - this.#day.since) / STEP));
    slider.disabled = false;
    this.#section.querySelector("#day-play").disabled = false;
    this.#draw();
    this.#place();
  }

  #url(what, query = {}) {
    const search = new URLSearchParams({ ...query, ...(this.#scope ? { scope: this.#scope } : {}) });
    return `${this.#address}/${what}${search.size ? `?${search}` : ""}`;
  }

  /** Show the board as it was; null is now. Resolves when it is shown. */
  async go(at) {
    clearTimeout(this.#pause);
    this.#fetching?.abort();
    this.#fetching = null;
    if (at === null) {
      this.stop();
      this.instant = null;
      this.#place();
      this.dispatchEvent(new CustomEvent("instant", { detail: null }));
      return true;
    }
    const fetching = new AbortController();
    this.#fetching = fetching;
    this.#section.ariaBusy = "true";
    try {
      const answer = await fetch(this.#url("instant", { at: at.toISOString() }), { headers: { accept: "application/json" }, signal: fetching.signal });
      if (!answer.ok) throw new Error(String(answer.status));
      const frame = await answer.json();
      this.instant = at;
      this.#place();
      this.dispatchEvent(new CustomEvent("instant", { detail: { at, frame } }));
      return true;
    } catch (problem) {
      if (problem.name !== "AbortError") write(this.#section.querySelector("#day-clock"), t("day.failed"));
      return false;
    } finally {
      if (this.#fetching === fetching) {
        this.#fetching = null;
        this.#section.ariaBusy = "false";
      }
    }
  }

  async play() {
    if (!this.#day) return;
    const run = {};
    this.#playing = run;
    this.#button("pause");
    const stride = (this.#day.until - this.#day.since) / STRIDES;
    let at = this.instant && this.instant < this.#day.until - stride ? this.instant.getTime() : this.#day.since;
    while (this.#playing === run && at < this.#day.until) {
      at = Math.min(at + stride, this.#day.until);
      const [shown] = await Promise.all([this.go(new Date(at)), new Promise((resolve) => setTimeout(resolve, BEAT))]);
      if (!shown) break;
    }
    if (this.#playing === run) this.stop();
  }

  stop() {
    this.#playing = null;
    this.#button("play");
  }

  #button(act) {
    const button = this.#section.querySelector("#day-play");
    button.setAttribute("aria-pressed", act === "pause");
    button.dataset.act = act;
    write(button.querySelector("span"), t(`day.${act}`));
  }

  #preview() {
    const at = this.#meant();
    write(this.#section.querySelector("#day-clock"), at ? clockTime(at) : t("day.now"));
    this.#tell(at);
  }

  /** The slider where the board is. */
  #place() {
    const slider = this.#slider;
    if (!this.#day) return;
    slider.value = this.instant ? Math.round((this.instant - this.#day.since) / STEP) : slider.max;
    write(this.#section.querySelector("#day-clock"), this.instant ? clockTime(this.instant) : t("day.now"));
    this.#section.querySelector("#day-now").hidden = this.instant === null;
    this.#section.dataset.past = this.instant !== null;
    this.#tell(this.instant);
  }

  #tell(at) {
    const row = this.#rowAt(at ?? new Date(this.#day.until));
    this.#slider.setAttribute("aria-valuetext", t("day.spoken", { time: at ? clockTime(at) : t("day.now"), there: grouped(row?.present ?? 0), all: grouped(row?.invited ?? 0) }));
    const mark = this.#section.querySelector(".day-mark");
    mark.hidden = !at;
    if (at) mark.style.left = `${(100 * (at - this.#day.since)) / (this.#day.until - this.#day.since || 1)}%`;
  }

  #rowAt(at) {
    const { rows, columns } = this.#day;
    const index = Math.min(rows.length - 1, Math.max(0, Math.floor(((at - this.#day.since) / (this.#day.until - this.#day.since || 1)) * (rows.length - 1))));
    return rows[index] && Object.fromEntries(columns.map((name, n) => [name, rows[index][n]]));
  }

  // ---- the counts as an area -----------------------------------------------------------------------

  #draw() {
    const { rows, columns, since, until } = this.#day;
    const column = (name) => rows.map((row) => row[columns.indexOf(name)]);
    const most = Math.max(1, ...column("invited"));
    const x = (n) => (WIDE * n) / Math.max(1, rows.length - 1);
    const y = (value) => HIGH - (HIGH * value) / most;
    const line = (values) => values.map((value, n) => `${n ? "L" : "M"}${x(n).toFixed(1)} ${y(value).toFixed(1)}`).join("");
    const area = (values) => `${line(values)}L${WIDE} ${HIGH}L0 ${HIGH}Z`;
    const [present, late, lost, help] = ["present", "late", "lost", "needs_help"].map(column);
    const path = (name, d) => {
      const made = document.createElementNS(SVG, "path");
      made.setAttribute("class", name);
      made.setAttribute("d", d);
      return made;
    };
    const picture = this.#section.querySelector(".day-picture svg");
    picture.replaceChildren(
      path("day-area state-scope state-present", area(present)),
      path("day-area state-scope state-late", area(late)),
      path("day-line", line(column("invited"))),
      path("day-line state-scope state-lost", line(lost)),
      path("day-line state-scope state-needs_help", line(help)),
    );
    const last = this.#rowAt(new Date(until));
    picture.setAttribute("aria-label", t("day.chart", { from: clockTime(new Date(since)), until: clockTime(new Date(until)), there: grouped(last?.present ?? 0), all: grouped(last?.invited ?? 0) }));
    this.#ticks(since, until);
    write(this.#section.querySelector("#day-most"), most);
  }

  #ticks(since, until) {
    const hour = 3_600_000;
    const step = [hour / 4, hour / 2, hour, 2 * hour, 4 * hour, 24 * hour].find((length) => (until - since) / length <= 9) ?? 24 * hour;
    const ticks = [];
    for (let at = Math.ceil(since / step) * step; at <= until; at += step) ticks.push([at, clockTime(new Date(at)).slice(0, 5), ""]);
    if (this.#day.start > since && this.#day.start < until) ticks.push([this.#day.start, t("day.start"), "day-start"]);
    this.#section.querySelector(".day-ticks").replaceChildren(
      ...ticks.map(([at, words, name]) => {
        const tick = make("span", name, words);
        // At the right edge it stands before its place, to be read whole.
        if ((at - since) / (until - since || 1) > 0.94) tick.classList.add("before");
        tick.style.left = `${(100 * (at - since)) / (until - since || 1)}%`;
        return tick;
      }),
    );
  }
}
