// What happens while the page is open. It comes in at the top; while one reads further down, has a row open or has paused, it
// is counted instead ("17 new"), so that nothing jumps.

import { localise } from "../echoadmin/times.js";
import { followLog } from "./tail.js";

const TOGETHER = 250; // ms in which what arrives is drawn at once
const AT_ONCE = 100; // rows in one look
const KEPT = 500; // rows on the page
const NOISE = /_present$|heartbeat$|utterance\.streaming$/;

export class Arrivals {
  constructor(page) {
    this.page = page;
    this.list = page.querySelector("#entries");
    this.pill = page.querySelector("#log-new");
    this.chip = page.querySelector("#live-state");
    this.button = page.querySelector("#live-button");
    this.waiting = [];
    this.spoken = new Set(); // echoes whose first chunk was shown: the others are folded into it
    this.paused = false;
    this.state = "connecting";
    this.soon = 0;
  }

  begin() {
    this.button.addEventListener("click", () => this.toggle());
    this.pill.firstElementChild.addEventListener("click", () => this.draw());
    followLog(this.page.dataset.after, this.page.dataset.filters, {
      entry: (entry) => this.add(entry),
      state: (words) => this.say(words),
    });
  }

  toggle() {
    this.paused = !this.paused;
    this.button.textContent = this.paused ? "Go on" : "Pause";
    this.button.setAttribute("aria-pressed", String(this.paused));
    this.say(this.state);
    if (!this.paused) this.draw();
  }

  say(words) {
    this.state = words;
    const shown = this.paused ? "paused" : words;
    if (this.chip.textContent !== shown) this.chip.textContent = shown;
    this.chip.dataset.state = shown;
  }

  add(entry) {
    if (this.isFolded(entry) || this.list.querySelector(`[data-id="${entry.id}"]`)) return;
    this.waiting.push(entry.id);
    if (this.isReading()) this.count();
    else this.soon ||= setTimeout(() => this.arrive(), TOGETHER);
  }

  isFolded(entry) {
    if (this.page.dataset.noise) return false;
    if (NOISE.test(entry.event_type) && !/family=|event_type=/.test(this.page.dataset.filters)) return true;
    if (entry.direction !== "out" || entry.message?.properties?.modality !== "audio") return false;
    const echo = `${entry.conversation} ${entry.inference_id}`;
    return this.spoken.has(echo) || !this.spoken.add(echo);
  }

  isReading() {
    return this.paused || this.list.getBoundingClientRect().top < 0 || this.list.querySelector("details[open]") !== null;
  }

  arrive() {
    this.soon = 0;
    if (this.isReading()) this.count();
    else this.draw();
  }

  count() {
    this.pill.hidden = this.waiting.length === 0;
    this.pill.firstElementChild.textContent = `${this.waiting.length.toLocaleString()} new`;
  }

  async draw() {
    const ids = this.waiting.splice(0);
    this.count();
    for (let at = 0; at < ids.length; at += AT_ONCE) if (!(await this.drawSome(ids.slice(at, at + AT_ONCE)))) return this.keep(ids.slice(at));
    while (this.list.childElementCount > KEPT) this.list.lastElementChild.remove();
  }

  async drawSome(ids) {
    const query = new URLSearchParams(this.page.dataset.filters);
    if (this.page.dataset.noise) query.set("noise", "1");
    query.set("ids", ids.join(","));
    const answer = await fetch(`${this.page.dataset.rows}?${query}`).catch(() => null);
    if (!answer?.ok || answer.redirected) return false;
    const drawn = document.createElement("template");
    drawn.innerHTML = await answer.text();
    for (const row of drawn.content.querySelectorAll("[data-id]")) if (this.list.querySelector(`[data-id="${row.dataset.id}"]`)) row.remove();
    this.list.prepend(drawn.content);
    localise(this.list);
    this.page.querySelector("#nothing")?.remove();
    return true;
  }

  /** The console did not answer: they stay counted, and the next click asks again. */
  keep(ids) {
    this.waiting.unshift(...ids);
    this.count();
  }
}
