// The echoes, newest first, each with the furthest that it got.

import { lasting } from "../echoadmin/times.js";
import { hasEnded, isWaiting, older } from "./echo_states.js";
import { post } from "./posting.js";

const WORTH_TELLING = 100; // ms
const MOST = 100; // rows; the rest are under Echoes

export function start(bus, root) {
  const echoes = new Echoes(bus, root);
  bus.on("echo", (echo) => echoes.show(echo));
  bus.on("state", (state) => echoes.active(state.is_active));
}

class Echoes {
  constructor(bus, page) {
    this.bus = bus;
    this.page = page;
    this.isActive = true;
    this.list = page.querySelector("#echoes");
    this.template = page.querySelector("#echo-row");
    this.known = new Map();
    this.list.addEventListener("click", (event) => this.act(event));
  }

  /** Whether something can be said again; the rows' buttons go with it. */
  active(isActive) {
    if (this.isActive === isActive) return;
    this.isActive = isActive;
    for (const [id, echo] of this.known) this.fill(this.row(id), echo);
  }

  show(echo) {
    const id = echo.inference_id;
    const before = this.known.get(id);
    if (before && older(echo, before)) return;
    this.known.set(id, echo);
    const row = this.row(id);
    this.place(row, echo);
    this.fill(row, echo);
    this.page.querySelector("#no-echoes").hidden = true;
  }

  row(id) {
    const found = this.list.querySelector(`li[data-echo="${CSS.escape(id)}"]`);
    if (found) return found;
    const row = this.template.content.firstElementChild.cloneNode(true);
    row.dataset.echo = id;
    return row;
  }

  /** Where its position says: of two that speak at once, each page may hear of its own first. */
  place(row, { position }) {
    row.dataset.position = position;
    const of = (one) => Number(one.dataset.position);
    const isRight = (one, newer) => !one || (newer ? of(one) > position : of(one) < position);
    if (row.parentElement && isRight(row.previousElementSibling, true) && isRight(row.nextElementSibling, false)) return;
    const next = [...this.list.children].find((one) => one !== row && of(one) < position);
    this.list.insertBefore(row, next ?? null);
    if (this.list.childElementCount > MOST) this.drop(this.list.lastElementChild);
  }

  drop(row) {
    this.known.delete(row.dataset.echo);
    row.remove();
  }

  fill(row, echo) {
    const write = (name, words) => {
      row.querySelector(`[data-field="${name}"]`).textContent = words;
    };
    row.querySelector('[data-field="state"]').dataset.state = echo.state;
    write("state", echo.state);
    write("words", echo.text || (echo.modality === "audio" ? "Audio" : ""));
    write("by", [echo.actor, echo.source].filter(Boolean).join(" · "));
    write("length", echo.seconds ? `${echo.modality === "audio" ? "" : "≈ "}${lasting(echo.seconds)}` : "");
    write("steps", steps(echo.times ?? {}));
    write("why", [echo.reason, echo.detail].filter(Boolean).join(": "));
    this.tellOrigin(row.querySelector('[data-field="origin"]'), echo.replay_of);
    const hear = row.querySelector('[data-field="hear"]');
    hear.hidden = echo.modality !== "audio";
    hear.href = this.address(echo.id);
    const may = this.page.dataset.maySpeak === "yes";
    row.querySelector('[data-do="cancel"]').hidden = !may || !isWaiting(echo);
    row.querySelector('[data-do="again"]').hidden =
      !may || !this.isActive || !hasEnded(echo);
  }

  address(id) {
    return this.page.dataset.echo.replace("/0/", `/${id}/`);
  }

  tellOrigin(field, origin) {
    if (!origin || field.firstElementChild) return;
    const link = document.createElement("a");
    link.className = "ea-link";
    link.href = this.address(origin);
    link.textContent = `says again echo ${origin}`;
    field.append(link);
  }

  async act(event) {
    const button = event.target.closest("button[data-do]");
    if (!button || button.disabled) return;
    const id = button.closest("li[data-echo]").dataset.echo;
    button.disabled = true;
    const done = await post(this.page, `echoes/${encodeURIComponent(id)}/${button.dataset.do}/`);
    button.disabled = false;
    if (done.error) this.bus.tell("refused", done.error);
    else this.bus.tell("echo", done);
  }
}

/** How long it waited, how soon the replica began after the first message left, and how long it spoke. */
function steps(times) {
  const at = (name) => (times[name] ? Date.parse(times[name]) : null);
  const took = (from, to) => (at(from) && at(to) ? Math.max(0, at(to) - at(from)) : null);
  const words = [];
  const waited = took("queued", "sending");
  if (waited > WORTH_TELLING) words.push(`waited ${lasting(waited / 1000)}`);
  const began = took("sending", "speaking");
  if (began !== null) words.push(`began after ${began < 1000 ? `${Math.round(began)} ms` : lasting(began / 1000)}`);
  const spoke = took("speaking", "spoken");
  if (spoke !== null) words.push(`spoke for ${lasting(spoke / 1000)}`);
  return words.join(", ");
}
