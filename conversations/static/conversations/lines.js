// Saved lines: said by a click, or by their number while nothing is typed into; saved from the box or from an echo.

import { freshId, post } from "./posting.js";
import { lasting } from "../echoadmin/times.js";

const OFFERED = 12; // of the newest echoes

export function start(bus, root) {
  const group = root.querySelector("#lines");
  if (group) new Lines(bus, root, group);
}

class Lines {
  constructor(bus, root, group) {
    this.bus = bus;
    this.root = root;
    this.group = group;
    this.echoes = new Map(); // the newest last
    this.box = root.querySelector("#line-box");
    this.form = root.querySelector("#line-form");
    this.error = root.querySelector("#line-error");
    bus.on("echo", (echo) => this.echoes.set(echo.inference_id, echo));
    bus.on("saveline", (echo) => this.open(null, echo)); // for a row of the ledger
    group.addEventListener("click", (event) => this.click(event));
    document.addEventListener("keydown", (event) => this.key(event));
    this.form.addEventListener("submit", (event) => this.save(event));
    this.form.elements.echo.addEventListener("change", () => this.dress());
    root.querySelector("#line-delete").addEventListener("click", () => this.remove());
    this.load();
  }

  async load() {
    const told = await fetch(`${this.root.dataset.base}lines/`, { headers: { Accept: "application/json" } })
      .then((answer) => (answer.ok && !answer.redirected ? answer.json() : null))
      .catch(() => null);
    if (told) this.draw(told.lines);
  }

  draw(lines) {
    this.lines = lines;
    for (const old of this.group.querySelectorAll(".ea-saved-line")) old.remove();
    this.group.prepend(...lines.map((line, at) => this.chip(line, at)));
  }

  chip(line, at) {
    const chip = Object.assign(document.createElement("span"), { className: "ea-saved-line" });
    const button = (words, name, title) => {
      const made = Object.assign(document.createElement("button"), { type: "button", className: "ea-button", textContent: words, title });
      made.dataset[name] = line.id;
      chip.append(made);
      return made;
    };
    const length = line.seconds ? `${line.is_audio ? "audio, " : "≈ "}${lasting(Math.round(line.seconds * 10) / 10)}` : "";
    button(`${at < 9 ? `${at + 1} ` : ""}${line.name}`, "say", [line.text, length].filter(Boolean).join(" · "));
    if (line.may_change) button("Edit", "edit", "").setAttribute("aria-label", `Edit ${line.name}`);
    return chip;
  }

  click({ target }) {
    const button = target.closest("button");
    if (!button) return;
    if (button.id === "line-new") return this.open(null);
    const line = this.lines.find(({ id }) => id === (button.dataset.say ?? button.dataset.edit));
    if (button.dataset.edit) this.open(line);
    else this.say(line);
  }

  key(event) {
    if (event.repeat || event.altKey || event.ctrlKey || event.metaKey || !/^[1-9]$/.test(event.key)) return;
    if (event.target.closest("input, textarea, select, [contenteditable], [popover]") || document.querySelector("[popover]:popover-open")) return;
    const line = this.lines?.[event.key - 1];
    if (line) this.say(line);
  }

  async say(line) {
    const { state, link } = this.bus.last;
    if (!state?.can_speak) return this.bus.tell("refused", state?.hint ?? "The page is not ready yet.");
    if (link && !link.isReachable) return this.bus.tell("refused", "Not sent: the console is out of reach. Say it when the page says live again.");
    this.bus.tell("refused", "");
    const body = new FormData();
    body.append("inference_id", freshId());
    const done = await post(this.root, `lines/${line.id}/say/`, body);
    if (done.error) this.bus.tell("refused", done.error);
    else this.bus.tell("echo", done);
  }

  /** A line to change; or a new one, of the words in the box or of an echo. */
  open(line, echo = null) {
    this.line = line;
    const { name, text, shared, echo: which } = this.form.elements;
    const offered = [...this.echoes.values()].slice(-OFFERED).reverse();
    const words = (one) => (one.text || `audio, ${lasting(one.seconds ?? 0)}`).slice(0, 60);
    which.replaceChildren(new Option("The words below", ""), ...offered.map((one) => new Option(`Echo: ${words(one)}`, one.inference_id)));
    which.value = echo?.inference_id ?? "";
    name.value = line?.name ?? "";
    text.value = line ? line.text : this.root.querySelector("#say-text").value;
    shared.checked = line?.shared ?? false;
    this.root.querySelector("#line-title").textContent = line ? `Edit ${line.name}` : "Save a line";
    this.root.querySelector("#line-delete").hidden = !line;
    this.error.hidden = true;
    this.dress();
    this.box.showPopover();
    name.focus();
  }

  dress() {
    this.form.querySelector("[data-new]").hidden = Boolean(this.line);
    this.form.querySelector("[data-words]").hidden = this.line ? this.line.is_audio : Boolean(this.form.elements.echo.value);
  }

  save(event) {
    event.preventDefault();
    return this.ask(this.line ? `lines/${this.line.id}/change/` : "lines/save/", new FormData(this.form));
  }

  remove() {
    return this.ask(`lines/${this.line.id}/delete/`);
  }

  async ask(path, body) {
    const done = await post(this.root, path, body);
    this.error.textContent = done.error ?? "";
    this.error.hidden = !done.error;
    if (done.error) return;
    this.box.hidePopover();
    await this.load();
  }
}
