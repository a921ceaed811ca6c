// What waits to be said, in its order: moved, edited, cancelled, and what is held approved or rejected by a second person.

import { isWaiting, older } from "./echo_states.js";
import { post } from "./posting.js";

export function start(bus, root) {
  const queue = new Queue(bus, root);
  bus.on("echo", (echo) => queue.show(echo));
}

class Queue {
  constructor(bus, page) {
    this.bus = bus;
    this.page = page;
    this.list = page.querySelector("#queue");
    this.template = page.querySelector("#queue-row");
    this.error = page.querySelector("#queue-error");
    this.me = page.querySelector("#waiting-part").dataset.me;
    this.may = page.dataset.maySpeak === "yes";
    this.known = new Map();
    this.list.addEventListener("click", (event) => this.click(event));
    this.list.addEventListener("submit", (event) => this.save(event));
    this.list.addEventListener("keydown", (event) => this.key(event));
  }

  show(echo) {
    const before = this.known.get(echo.inference_id);
    if (before && older(echo, before)) return;
    this.known.set(echo.inference_id, echo);
    const row = this.row(echo.inference_id);
    if (!isWaiting(echo)) row?.remove();
    else this.fill(row ?? this.fresh(echo), echo, before);
    this.order();
  }

  row(id) {
    return this.list.querySelector(`li[data-line="${CSS.escape(id)}"]`);
  }

  fresh(echo) {
    const row = this.template.content.firstElementChild.cloneNode(true);
    row.dataset.line = echo.inference_id;
    this.list.append(row);
    return row;
  }

  fill(row, echo, before) {
    const form = row.querySelector('[data-field="form"]');
    if (before?.text === echo.text) form.dataset.revision = echo.revision; // it only moved: what is being written still fits
    const field = (name) => row.querySelector(`[data-field="${name}"]`);
    row.dataset.position = echo.position;
    field("state").dataset.state = echo.state;
    field("state").textContent = echo.state;
    field("words").textContent = echo.text || "Audio";
    field("by").textContent = [echo.actor, echo.source, echo.edited_by && `edited by ${echo.edited_by}`].filter(Boolean).join(" · ");
    field("hear").hidden = echo.modality !== "audio";
    field("hear").href = this.page.dataset.echo.replace("/0/", `/${echo.id}/`);
    field("buttons").hidden = !this.may;
    const button = (name) => row.querySelector(`[data-act="${name}"]`);
    button("edit").hidden = echo.modality !== "text";
    for (const name of ["approve", "reject"]) button(name).hidden = echo.state !== "held" || echo.actor === this.me;
  }

  /** Rows go where their positions say; one that is there already is not touched, so focus stays in it. */
  order() {
    const rows = [...this.list.children].sort((one, other) => one.dataset.position - other.dataset.position);
    rows.forEach((row, at) => {
      if (this.list.children[at] === row) return;
      const focused = row.contains(document.activeElement) ? document.activeElement : null;
      this.list.insertBefore(row, this.list.children[at]);
      focused?.focus();
    });
    this.page.querySelector("#queue-count").textContent = rows.length;
    this.page.querySelector("#queue-empty").hidden = rows.length > 0;
    const interrupt = this.page.querySelector("#interrupt");
    if (interrupt) interrupt.textContent = rows.length ? `Interrupt (cancels ${rows.length})` : "Interrupt";
  }

  click(event) {
    const button = event.target.closest("button[data-act]");
    if (button) this.act(button.closest("li"), button.dataset.act);
  }

  key(event) {
    if (event.key === "Escape" && event.target.closest("form")) {
      event.stopPropagation(); // it closes the form, and interrupts nobody
      const row = event.target.closest("li");
      if (event.target.closest("form").dataset.field === "why") this.ask(row, false);
      else this.open(row, false);
    }
    if (!event.altKey || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
    event.preventDefault();
    this.act(event.target.closest("li"), event.key === "ArrowUp" ? "up" : "down");
  }

  act(row, name) {
    if (name === "edit" || name === "close") return this.open(row, name === "edit");
    if (name === "up" || name === "down") return this.move(row, name);
    if (name === "reject" || name === "keep") return this.ask(row, name === "reject");
    const fields = name === "cancel" ? {} : { revision: this.known.get(row.dataset.line).revision };
    return this.send(row, name, fields);
  }

  open(row, isOpen) {
    const echo = this.known.get(row.dataset.line);
    const form = row.querySelector('[data-field="form"]');
    form.hidden = !isOpen;
    if (!isOpen) return row.querySelector('[data-act="edit"]').focus();
    form.dataset.revision = echo.revision; // as it was seen: what somebody else writes meanwhile is not written over
    form.firstElementChild.value = echo.text;
    return form.firstElementChild.focus();
  }

  /** Why it is rejected: its author reads it beside the line. */
  ask(row, isOpen) {
    const form = row.querySelector('[data-field="why"]');
    form.hidden = !isOpen;
    row.querySelector(isOpen ? '[data-field="why"] input' : '[data-act="reject"]').focus();
  }

  async save(event) {
    event.preventDefault();
    const form = event.target;
    const row = form.closest("li");
    if (form.dataset.field === "why") {
      const { revision } = this.known.get(row.dataset.line);
      return this.send(row, "reject", { revision, reason: form.elements.reason.value });
    }
    const fields = { text: form.firstElementChild.value, revision: form.dataset.revision };
    if (await this.send(row, "change", fields)) this.open(row, false);
    return null;
  }

  move(row, name) {
    const other = name === "up" ? row.previousElementSibling : row.nextElementSibling;
    if (!other) return;
    this.send(row, "change", { [name === "up" ? "before" : "after"]: other.dataset.line });
  }

  async send(row, path, fields) {
    const body = new FormData();
    for (const [name, value] of Object.entries(fields)) body.append(name, value);
    const done = await post(this.page, `echoes/${encodeURIComponent(row.dataset.line)}/${path}/`, body);
    this.error.hidden = !done.error;
    this.error.textContent = done.error ?? "";
    if (!done.error) this.bus.tell("echo", done);
    return !done.error;
  }
}
