// The transcript with the log inside: the newest at the bottom, drawn a frame at a time, and no more of it than one can read.

import { copyOnClick } from "../../log/copying.js";
import { older } from "../echo_states.js";
import { Filters } from "./filters.js";
import { Folding } from "./folding.js";
import { Following } from "./following.js";
import { Keys } from "./keys.js";
import { fillRow, makeRow, toggleRow } from "./row.js";
import { isNoise } from "./words.js";

const A_FRAME = 40; // entries that are drawn in one frame
const MOST_ROWS = 400; // above it the oldest rows go, while the newest are followed
const FEWER_ROWS = 300;
const MOST_READ = 1500; // rows that may be there while one reads in earlier times
const MOST_WAITING = 2000; // entries that wait while nobody looks; of more, the oldest are told as missed
const MOST_ECHOES = 1000;

export function start(bus, root) {
  const transcript = new Transcript(bus, root);
  bus.on("entry", (entry) => transcript.take(entry));
  bus.on("missed", (missed) => transcript.miss(missed));
  bus.on("echo", (echo) => transcript.know(echo));
  bus.on("link", (link) => transcript.tellLink(link));
}

class Transcript {
  constructor(bus, page) {
    this.bus = bus;
    this.page = page;
    this.part = page.querySelector(".ea-live-transcript");
    const find = (id) => page.querySelector(`#log-${id}`);
    for (const name of ["new", "older", "nothing", "refused", "spoken"]) this[name] = find(name);
    Object.assign(this, { list: page.querySelector("#log"), chip: find("live"), count: find("noise-count") });
    const parts = { scroll: find("scroll"), list: this.list, button: find("pause") };
    this.following = new Following(parts, { turned: () => this.plan(), goOn: () => this.goOn() });
    this.filters = new Filters(this.part, () => this.reload());
    this.folding = new Folding(this.filters);
    this.keys = new Keys(this.list);
    this.echoes = new Map();
    this.pending = []; // entries, and what was missed, that are not drawn yet
    this.last = 0; // the newest entry of the pages that were read: what comes later over the line is beyond it
    this.noise = 0;
    this.shown = 0; // how often something else was to be shown: a page that was asked for before it is not
    this.isReloading = false;
    this.listen();
    this.show(JSON.parse(document.getElementById("conversation-transcript").textContent));
  }

  listen() {
    this.list.addEventListener("click", (event) => this.press(event));
    copyOnClick(this.list);
    this.new.addEventListener("click", () => this.goOn());
    this.older.addEventListener("click", () => this.readEarlier());
    this.nothing.querySelector("a").addEventListener("click", (event) => {
      event.preventDefault();
      this.filters.clear();
    });
    document.addEventListener("visibilitychange", () => this.plan());
  }

  tellLink({ words, isLive }) {
    this.chip.textContent = words;
    this.chip.dataset.state = isLive ? "live" : words === "away" ? "away" : "waiting";
  }

  // what comes

  take(entry) {
    if (isNoise(entry)) this.count.textContent = `(${++this.noise})`;
    if (entry.n <= this.last || !this.filters.wants(entry)) return;
    this.pending.push(entry);
    if (this.pending.length > MOST_WAITING) this.leaveOut();
    this.plan();
  }

  miss({ after, until, count }) {
    if (until <= this.last) return;
    const from = Math.max(after, this.last);
    this.pending.push({ missed: { after: from, until, count: Math.min(count, until - from) } });
    this.plan();
  }

  /** So many wait that the oldest of them are told as missed: they are read from the log when they are asked for. */
  leaveOut() {
    const [first] = this.pending;
    const after = first.missed ? first.missed.after : first.n - 1;
    const left = this.pending.splice(0, MOST_WAITING / 2);
    const until = left.at(-1).missed?.until ?? left.at(-1).n;
    const count = left.reduce((sum, one) => sum + (one.missed?.count ?? 1), 0);
    this.pending.unshift({ missed: { after, until, count } });
  }

  know(echo) {
    const known = this.echoes.get(echo.id);
    if (known && older(echo, known)) return;
    this.echoes.delete(echo.id);
    this.echoes.set(echo.id, echo);
    if (this.echoes.size > MOST_ECHOES) this.echoes.delete(this.echoes.keys().next().value);
    const row = this.folding.lineOfEcho(echo.id)?.row;
    if (row) fillRow(this.page, row, echo);
  }

  // what is drawn

  plan() {
    if (!this.following.isOn) return this.tellNew();
    this.new.hidden = true;
    if (this.frame || this.isReloading || document.hidden || !this.pending.length) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      if (!this.following.isOn) return this.tellNew();
      if (this.isReloading) return; // what comes is drawn after the page that is read
      this.draw(this.pending.splice(0, A_FRAME));
      this.plan();
    });
  }

  draw(entries) {
    const made = document.createDocumentFragment();
    const changed = new Set();
    for (const entry of entries) {
      if (entry.missed) {
        made.append(this.missedRow(entry.missed));
        continue;
      }
      const { line, isNew } = this.folding.add(entry);
      if (isNew) made.append(this.row(line));
      else changed.add(line);
    }
    for (const line of changed) fillRow(this.page, line.row, this.echoes.get(line.echo));
    this.list.append(made);
    if (this.following.isOn) {
      if (this.list.childElementCount > MOST_ROWS) this.trim();
      this.following.toEnd();
    }
    this.tellWhatIs();
  }

  row(line) {
    line.row = makeRow(this.page, line, this.echoes.get(line.echo));
    if (line.shape === "heard" && !this.isFilling) this.spoken.textContent = line.row.querySelector(".ea-turn-head").textContent;
    return line.row;
  }

  trim() {
    while (this.list.childElementCount > FEWER_ROWS) this.drop(this.list.firstElementChild);
    this.older.hidden = false;
  }

  drop(row) {
    if (row.line) this.folding.forget(row.line);
    this.keys.leave(row);
    row.remove();
  }

  tellWhatIs() {
    this.nothing.hidden = this.list.childElementCount > 0;
    this.nothing.lastElementChild.hidden = !this.filters.narrows;
    this.keys.begin();
  }

  /** Goes on with the newest, and draws all that came meanwhile. */
  goOn() {
    if (this.following.isCut) return void this.reload();
    this.following.begin();
    this.following.toEnd();
  }

  tellNew() {
    const keys = new Set();
    for (const one of this.pending) {
      const key = one.missed ? one : (this.folding.keyOf(one) ?? one);
      if (!this.folding.byKey.has(key)) keys.add(key);
    }
    this.new.hidden = this.following.isOn || keys.size === 0;
    if (!this.new.hidden) this.new.textContent = `${keys.size.toLocaleString()} new`;
  }

  // pages of the log

  /** Everything anew: with other filters, or because the newest rows went. */
  async reload() {
    const mine = ++this.shown;
    this.isReloading = true;
    const page = await this.read({});
    if (mine !== this.shown) return; // a later one goes on
    this.isReloading = false;
    if (!page) return this.plan();
    for (const row of [...this.list.children]) this.drop(row);
    this.folding.clear();
    this.following.begin();
    this.show(page);
  }

  show({ entries, echoes, more, refused }) {
    this.tellRefused(refused);
    this.last = Math.max(this.last, entries.at(-1)?.n ?? 0);
    this.pending = this.pending.filter((one) => this.filters.wants(one) && one.n > this.last);
    for (const echo of echoes) this.know(echo);
    this.isFilling = true;
    this.draw(entries);
    this.isFilling = false;
    this.older.hidden = !more;
    this.tellNew();
    this.plan();
  }

  async readEarlier() {
    const first = [...this.list.children].find((row) => row.line)?.line.first;
    this.older.disabled = true;
    const page = await this.read(first ? { before: first } : {});
    this.older.disabled = false;
    if (!page) return;
    for (const echo of page.echoes) this.know(echo);
    this.older.hidden = !page.more;
    const { scroll } = this.following;
    const below = scroll.scrollHeight - scroll.scrollTop;
    this.putBefore(page.entries, this.list.firstElementChild);
    this.following.keepAt(below);
    while (this.list.childElementCount > MOST_READ) {
      this.drop(this.list.lastElementChild);
      this.following.isCut = true;
    }
  }

  /** Earlier entries before `place`; the rows of echoes that go on after it move up to where they began. */
  putBefore(entries, place) {
    const earlier = new Folding(this.filters);
    const lines = entries.map((entry) => earlier.add(entry)).filter(({ isNew }) => isNew).map(({ line }) => line);
    for (const line of lines) {
      const joined = this.folding.join(line);
      const row = joined.row ?? this.row(joined);
      if (joined.first === line.first) this.list.insertBefore(row, place === row ? row.nextSibling : place);
      fillRow(this.page, row, this.echoes.get(line.echo));
    }
    this.tellWhatIs();
  }

  missedRow(missed) {
    const row = document.createElement("li");
    row.className = "ea-live-missed";
    const words = document.createElement("span");
    words.textContent = `${missed.count.toLocaleString()} missed`;
    const load = document.createElement("button");
    load.type = "button";
    load.className = "ea-button ea-small-button";
    load.textContent = "Load";
    load.addEventListener("click", () => this.load(row, load, missed));
    row.append(words, load);
    return row;
  }

  /** Puts the newest of the missed entries where they belong; what is left of them is told again. */
  async load(row, button, { after, until, count }) {
    button.disabled = true;
    const page = await this.read({ after, before: until + 1 });
    button.disabled = false;
    if (!page) return;
    for (const echo of page.echoes) this.know(echo);
    if (page.more) {
      const left = Math.max(1, count - page.entries.length);
      this.list.insertBefore(this.missedRow({ after, until: page.entries[0].n - 1, count: left }), row);
    }
    this.putBefore(page.entries, row);
    row.remove();
  }

  /** A page of the log with the filters of now; null when it did not come, or was overtaken. */
  async read(bounds) {
    const mine = this.shown;
    const query = new URLSearchParams(this.filters.query);
    for (const [name, value] of Object.entries(bounds)) query.set(name, value);
    const answer = await fetch(`${this.page.dataset.base}transcript/?${query}`, { headers: { Accept: "application/json" } }).catch(() => null);
    const page = answer && !answer.redirected ? await answer.json().catch(() => null) : null;
    if (mine !== this.shown) return null;
    if (answer?.ok && page) return page;
    this.tellRefused(page?.refused ?? (answer?.redirected ? "You are signed out. Reload the page to sign in again." : "The console did not answer. Try again."));
    return null;
  }

  tellRefused(words) {
    this.refused.hidden = !words;
    this.refused.textContent = words ?? "";
  }

  press({ target }) {
    const head = target.closest(".ea-turn-head");
    if (!head || target.closest("a") || String(getSelection())) return;
    const row = head.parentElement;
    this.keys.turn(row);
    toggleRow(this.page, this.bus, row, this.echoes.get(row.line.echo));
  }
}
