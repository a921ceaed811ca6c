// The conversation's log, newest first. Noise is folded, the messages of one echo are one row, a row opens in place.

import { timeElement } from "../echoadmin/times.js";
import { pretty, summary } from "./entries.js";

const KEPT = 500; // rows on the page; all of it is one link away

export class Log {
  constructor(page) {
    this.list = page.querySelector("#log");
    this.scroll = page.querySelector("#log-scroll");
    this.chip = page.querySelector("#log-live");
    this.pill = page.querySelector("#log-new");
    this.count = page.querySelector("#log-noise-count");
    this.noise = 0;
    this.speaking = new Map(); // inference id → the row of its echo's messages
    this.unseen = 0;
    this.isLive = false;
    this.isCaughtUp = false;
    page.querySelector("#log-noise").addEventListener("change", (event) => this.list.classList.toggle("ea-noisy", event.target.checked));
    this.pill.addEventListener("click", () => this.scroll.scrollTo({ top: 0 }));
    this.scroll.addEventListener("scroll", () => this.scroll.scrollTop < 10 && this.seen());
  }

  setLive(words) {
    this.isLive = words === "live";
    if (!this.isLive) this.isCaughtUp = false;
    this.chip.textContent = words;
    this.chip.dataset.state = this.isLive ? "live" : "waiting";
  }

  caughtUp() {
    this.isCaughtUp = true;
  }

  add(entry) {
    const { words, isNoise } = summary(entry);
    if (isNoise) this.count.textContent = `(${++this.noise})`;
    if (this.fold(entry)) return;
    const row = makeRow(entry, words);
    if (isPiece(entry)) this.speaking.set(entry.inference_id, row);
    row.classList.toggle("ea-noise", isNoise);
    this.list.prepend(row);
    while (this.list.childElementCount > KEPT) this.list.lastElementChild.remove();
    if (!isNoise && this.scroll.scrollTop > 10) this.tellUnseen();
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
