// The box in which one says something: Enter says it, Shift+Enter makes a new line, Esc interrupts.

import { post } from "./echoes.js";
import { lasting } from "../echoadmin/times.js";

const CHARACTERS_A_SECOND = 15;
const MESSAGE_BYTES = 3800; // of the words in one app message

export class Composer {
  constructor(page, standing, echoes) {
    this.page = page;
    this.echoes = echoes;
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
    page.addEventListener("refused", (event) => this.refuse(event.detail));
  }

  show(state) {
    if (this.hint && this.hint.textContent !== state.hint) this.hint.textContent = state.hint;
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
    this.echoes.show(done);
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

function freshId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
