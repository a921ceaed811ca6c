// What of the transcript is shown, kept in the page's address: ?view=log&show=said&find=daft&noise=1.

import { isChunk, isLook, isNoise, spokenIn } from "./words.js";

const WAIT = 300; // ms after the last key before it is looked for
const SAID = new Set(["conversation.echo", "conversation.utterance", "conversation.interrupt", "echo.interrupt"]);

/** Which entries each `show` has: pages.py decides the same of those in the database. */
const SHOWS = {
  "": () => true,
  said: (entry) => SAID.has(entry.event_type),
  audio: isChunk,
  room: (entry) => entry.kind === "room" || /^(system|room)\./.test(entry.event_type),
  calls: (entry) => entry.kind === "upstream" || entry.kind === "webhook",
  wrong: (entry) => entry.is_error,
};

export class Filters {
  /** changed(): called when something else is to be shown. */
  constructor(root, changed) {
    this.fields = { show: root.querySelector("#log-show"), find: root.querySelector("#log-find"), noise: root.querySelector("#log-noise") };
    this.views = [...root.querySelectorAll("[data-view]")];
    this.view = this.views.find((button) => button.getAttribute("aria-pressed") === "true").dataset.view;
    this.changed = changed;
    this.fields.show.addEventListener("change", () => this.keep());
    this.fields.noise.addEventListener("change", () => this.keep());
    this.fields.find.addEventListener("input", () => this.later());
    this.fields.find.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.keep();
    });
    for (const button of this.views) button.addEventListener("click", () => this.turn(button.dataset.view));
    this.kept = this.query;
  }

  get isLog() {
    return this.view === "log";
  }

  get withNoise() {
    return this.fields.noise.checked;
  }

  /** Each entry is a row of its own. */
  get isRaw() {
    return this.isLog && this.withNoise;
  }

  get show() {
    return this.fields.show.value;
  }

  get find() {
    return this.fields.find.value.trim();
  }

  /** As the page's address, and the console, have it; "" where nothing is asked for. */
  get query() {
    const given = { view: this.view, show: this.show, find: this.find, noise: this.withNoise ? "1" : "" };
    return new URLSearchParams(Object.entries(given).filter(([, value]) => value)).toString();
  }

  /** Whether there is something that they leave out. */
  get narrows() {
    return Boolean(this.show || this.find);
  }

  /** Whether an entry that arrives is among them. */
  wants(entry) {
    if (!this.withNoise && (isNoise(entry) || (this.show !== "calls" && isLook(entry)))) return false;
    if (!SHOWS[this.show](entry)) return false;
    const words = this.find.toLowerCase();
    return !words || [spokenIn(entry), entry.event_type, entry.actor, entry.sender_name].some((text) => text?.toLowerCase().includes(words));
  }

  /** Shows everything again. */
  clear() {
    this.fields.show.value = this.fields.find.value = "";
    this.keep();
  }

  turn(view) {
    this.view = view;
    for (const button of this.views) button.setAttribute("aria-pressed", String(button.dataset.view === view));
    this.keep();
  }

  later() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.keep(), WAIT);
  }

  keep() {
    clearTimeout(this.waiting);
    if (this.query === this.kept) return;
    this.kept = this.query;
    history.replaceState(history.state, "", this.kept ? `?${this.kept}` : location.pathname);
    this.changed();
  }
}
