// The box in which one says something: Enter says it, Shift+Enter makes a new line, Esc interrupts.

import { freshId, post } from "./posting.js";
import { lasting } from "../echoadmin/times.js";

const CHARACTERS_A_SECOND = 15;
const MESSAGE_BYTES = 3800; // of the words in one app message

export function start(bus, root) {
  const composer = new Composer(bus, root);
  bus.on("state", (state) => composer.show(state));
  bus.on("link", (link) => composer.reach(link));
  bus.on("refused", (words) => composer.refuse(words));
}

const AWAY = "The console is out of reach: nothing is sent, and nothing will be sent later by itself. What you typed stays here.";

class Composer {
  constructor(bus, page) {
    this.bus = bus;
    this.page = page;
    this.hint = page.querySelector('[data-live="hint"]');
    this.form = page.querySelector("#composer");
    if (!this.form) return;
    this.text = this.form.querySelector("#say-text");
    this.file = this.form.querySelector("#say-audio");
    this.button = this.form.querySelector("#say");
    this.error = this.form.querySelector("#say-error");
    this.length = this.form.querySelector("#say-length");
    this.form.addEventListener("submit", (event) => this.submit(event));
    this.text.addEventListener("keydown", (event) => this.key(event));
    this.text.addEventListener("input", () => this.measure());
    this.file.hasChangeListener = true; // the theme's own listener wants a text field beside it, and breaks without one
    this.file.addEventListener("change", () => this.file.files.length && this.say());
    document.addEventListener("keydown", (event) => this.escape(event));
  }

  reach({ isReachable }) {
    this.isAway = isReachable === false;
    if (this.state) this.show(this.state);
  }

  show(state) {
    this.state = state;
    const hint = this.isAway ? AWAY : state.hint;
    if (this.hint && this.hint.textContent !== hint) this.hint.textContent = hint;
    if (!this.form) return;
    this.canSpeak = state.can_speak;
    for (const element of [this.button, this.text, this.file, this.form.querySelector("#interrupt")]) element.disabled = !state.can_speak;
    this.form.classList.toggle("ea-off", !state.can_speak);
  }

  key(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.say();
  }

  escape(event) {
    if (event.key === "Escape" && this.canSpeak && !document.querySelector("[popover]:popover-open")) this.interrupt();
  }

  measure() {
    const words = this.text.value.trim();
    const parts = Math.ceil(new TextEncoder().encode(words).length / MESSAGE_BYTES);
    this.length.textContent = words
      ? `≈ ${lasting(Math.max(0.1, Math.round((words.length / CHARACTERS_A_SECOND) * 10) / 10))} · ${parts > 1 ? `${parts} messages` : "one message"}`
      : "";
  }

  submit(event) {
    event.preventDefault();
    if (event.submitter?.id === "interrupt") this.interrupt();
    else this.say();
  }

  async say() {
    if (this.busy || !this.canSpeak) return;
    const hasFile = this.file.files.length > 0;
    if (!hasFile && !this.text.value.trim()) return this.refuse("Type what the replica is to say.");
    if (this.isAway) return this.refuse("Not sent: the console is out of reach. What you typed stays here; send it when the page says live again.");
    this.busy = true;
    this.error.hidden = true;
    this.button.setAttribute("aria-busy", "true");
    const body = new FormData(this.form);
    if (hasFile) body.delete("text");
    else body.delete("audio");
    const done = await post(this.page, "speak/", body);
    this.busy = false;
    this.button.removeAttribute("aria-busy");
    this.file.value = "";
    if (done.error) return this.refuse(done.error);
    this.form.elements.inference_id.value = freshId();
    if (!hasFile) this.text.value = "";
    this.measure();
    this.bus.tell("echo", done);
    this.text.focus();
  }

  async interrupt() {
    this.error.hidden = true;
    const done = await post(this.page, "interrupt/");
    if (done.error) this.refuse(done.error);
  }

  refuse(words) {
    if (!this.error) return;
    this.error.textContent = words;
    this.error.hidden = false;
  }
}
