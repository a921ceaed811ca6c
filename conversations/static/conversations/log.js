// The conversation's log, newest first. Noise is folded, the messages of one echo are one row, a row opens in place.

import { timeElement } from "../echoadmin/times.js";
import { pretty, summary } from "./entries.js";

const KEPT = 500; // rows on the page; all of it is one link away
const PAGE = 200; // missed entries that are loaded at once

export function start(bus, root) {
  const log = new Log(root);
  bus.on("entry", (entry) => log.add(entry));
  bus.on("missed", (missed) => log.miss(missed));
  bus.on("link", (link) => log.setLive(link));
}

class Log {
  constructor(page) {
    this.page = page;
    this.list = page.querySelector("#log");
    this.scroll = page.querySelector("#log-scroll");
    this.chip = page.querySelector("#log-live");
    this.pill = page.querySelector("#log-new");
    this.count = page.querySelector("#log-noise-count");
    this.noise = 0;
    this.speaking = new Map(); // inference id → the row of its echo's messages
    this.unseen = 0;
    page.querySelector("#log-noise").addEventListener("change", (event) => this.list.classList.toggle("ea-noisy", event.target.checked));
    this.pill.addEventListener("click", () => this.scroll.scrollTo({ top: 0 }));
    this.scroll.addEventListener("scroll", () => this.scroll.scrollTop < 10 && this.seen());
  }

  setLive({ words, isLive }) {
    this.chip.textContent = words;
    this.chip.dataset.state = isLive ? "live" : words === "away" ? "away" : "waiting";
  }

  /** Too many came while the page was away: what was left out is told, and loaded when asked for. */
  miss({ after, until, count }) {
    const row = document.createElement("li");
    row.className = "ea-live-missed";
    const words = document.createElement("span");
    words.textContent = `${count.toLocaleString()} missed`;
    const load = document.createElement("button");
    load.type = "button";
    load.className = "ea-button ea-small-button";
    load.textContent = "Load";
    row.append(words, load);
    load.addEventListener("click", () => this.load(row, load, after, until));
    this.list.prepend(row);
  }

  /** Puts the newest missed entries where they belong; the row then stands for the rest. */
  async load(row, button, after, until) {
    button.disabled = true;
    const from = Math.max(after, until - PAGE);
    const answer = await fetch(`/api/v1/conversations/${this.page.dataset.id}/entries/?after=${from}&limit=${until - from}`).catch(() => null);
    button.disabled = false;
    if (!answer?.ok) return void (row.firstElementChild.textContent = "They could not be loaded. Try again.");
    const { results } = await answer.json();
    for (const entry of results.reverse()) row.before(this.row(entry));
    row.remove();
    if (from > after) {
      this.miss({ after, until: from, count: from - after });
      const rest = this.list.firstElementChild;
      const oldest = [...this.list.children].find((one) => one.entries?.[0].n === results.at(-1)?.n);
      oldest?.after(rest);
    }
  }

  add(entry) {
    if (this.fold(entry)) return;
    const row = this.row(entry);
    if (isPiece(entry)) this.speaking.set(entry.inference_id, row);
    this.list.prepend(row);
    while (this.list.childElementCount > KEPT) this.list.lastElementChild.remove();
    if (!row.classList.contains("ea-noise") && this.scroll.scrollTop > 10) this.tellUnseen();
  }

  row(entry) {
    const { words, isNoise } = summary(entry);
    if (isNoise) this.count.textContent = `(${++this.noise})`;
    const row = makeRow(entry, words);
    row.classList.toggle("ea-noise", isNoise);
    return row;
  }

  /** Puts a further message of an echo into its row; false when it is not one. */
  fold(entry) {
    const row = this.speaking.get(entry.inference_id);
    if (!isPiece(entry) || !row?.isConnected) return false;
    row.entries.push(entry);
    row.querySelector(".ea-log-words").textContent = `${summary(row.entries[0]).words} · ${row.entries.length} messages`;
    if (row.firstElementChild.open) fillBody(row);
    return true;
  }

  tellUnseen() {
    this.unseen += 1;
    this.pill.textContent = `${this.unseen} new`;
    this.pill.hidden = false;
  }

  seen() {
    this.unseen = 0;
    this.pill.hidden = true;
  }
}

function isPiece(entry) {
  return entry.direction === "out" && entry.inference_id && entry.event_type.endsWith(".echo");
}

function makeRow(entry, words) {
  const row = document.createElement("li");
  row.entries = [entry];
  if (entry.is_error) row.dataset.error = "yes";
  const details = document.createElement("details");
  const head = document.createElement("summary");
  head.append(timeElement(entry.at), part("ea-log-kind", kind(entry)), part("ea-log-words", words), part("ea-log-who", entry.actor || entry.sender_name || ""));
  details.append(head);
  details.addEventListener("toggle", () => details.open && fillBody(row));
  row.append(details);
  return row;
}

function part(name, words) {
  const span = document.createElement("span");
  span.className = name;
  span.textContent = words;
  return span;
}

function kind(entry) {
  if (entry.kind === "app_message") return entry.direction;
  return { upstream: "http", operator: "op", webhook: "hook" }[entry.kind] ?? entry.kind;
}

const AT_MOST = 50; // messages of one folded row that are written out

function fillBody(row) {
  const details = row.firstElementChild;
  details.querySelector("pre")?.remove();
  const body = document.createElement("pre");
  body.className = "ea-json";
  body.tabIndex = 0;
  const written = row.entries.slice(0, AT_MOST).map((entry) => `#${entry.n}  ${entry.event_type}\n${pretty(entry.message)}`);
  if (row.entries.length > AT_MOST) written.push(`… and ${row.entries.length - AT_MOST} more, in the whole log`);
  body.textContent = written.join("\n\n");
  details.append(body);
}
