// Every other interaction: a form for each kind, or raw JSON that is judged while it is typed; the last ones once more.

const TYPED = 350; // ms after the last key until the server is asked what it thinks

export function start(bus, root) {
  const box = root.querySelector("#interactions");
  if (box) new Interactions(bus, root, box);
}

class Interactions {
  constructor(bus, root, box) {
    this.root = root;
    this.box = box;
    this.form = box.querySelector("#interaction-form");
    this.choice = box.querySelector("#interaction-choice");
    this.said = box.querySelector("#interaction-said");
    this.wrong = box.querySelector("#interaction-wrong");
    this.list = box.querySelector("#interaction-last");
    this.button = box.querySelector("#interaction-send");
    this.asked = 0;
    this.timer = 0;
    this.choice.addEventListener("change", () => this.choose());
    this.form.addEventListener("input", (event) => event.target !== this.choice && this.judgeSoon());
    this.form.addEventListener("submit", (event) => this.submit(event));
    this.list.addEventListener("click", (event) => this.again(event.target.closest("button")));
    this.list.addEventListener("keydown", (event) => this.key(event));
    this.showLast(JSON.parse(box.querySelector("#interactions-last").textContent));
    this.choose();
  }

  choose() {
    for (const one of this.form.querySelectorAll("fieldset")) {
      one.hidden = one.dataset.event !== this.choice.value;
      one.disabled = one.hidden;
    }
    this.tell("", "");
    if (this.box.open) this.judgeSoon();
  }

  /** What would be sent: fields of the chosen form, or the raw message. */
  body() {
    const body = new FormData(this.form);
    if (!this.choice.value) body.delete("event_type");
    return body;
  }

  judgeSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.judge(), TYPED);
  }

  async judge() {
    const mine = ++this.asked;
    const fieldset = this.form.querySelector("fieldset:not([hidden])");
    const isBegun = !this.choice.value || [...fieldset.elements].some((one) => one.value?.trim());
    if (!isBegun) return this.tell("", "");
    const told = await ask(this.root, "interactions/check/", this.body());
    if (mine !== this.asked) return; // something else was typed meanwhile
    if (told.error) this.tell("", told.error.message, told.error.field);
    else this.tell(`${told.bytes.toLocaleString()} of ${told.limit.toLocaleString()} bytes`, "");
  }

  tell(words, wrong, field = "") {
    this.said.textContent = words;
    this.wrong.hidden = !wrong;
    if (this.wrong.textContent !== wrong) this.wrong.textContent = wrong;
    for (const one of this.form.querySelectorAll("[aria-invalid]")) one.removeAttribute("aria-invalid");
    const name = field && field !== "message" ? `field-${field}` : "message";
    if (wrong) this.form.querySelector(`fieldset:not([hidden]) [name="${CSS.escape(name)}"]`)?.setAttribute("aria-invalid", "true");
  }

  async submit(event) {
    event.preventDefault();
    clearTimeout(this.timer);
    this.asked += 1;
    if (!this.button.disabled) await this.send(this.body(), this.button);
  }

  async send(body, button) {
    button.disabled = true;
    const told = await ask(this.root, "interactions/send/", body);
    button.disabled = false;
    if (told.error) return this.tell("", [told.error.message, told.error.way_out].filter(Boolean).join(" "), told.error.field);
    this.tell(`${told.event_type || "The message"} was handed to the room.`, "");
    this.showLast(told.last);
  }

  showLast(last) {
    this.last = last;
    const focused = [...this.list.querySelectorAll("button")].indexOf(document.activeElement);
    this.list.replaceChildren(...last.map((one, at) => this.item(one, at)));
    if (focused >= 0) this.list.querySelectorAll("button")[0]?.focus();
    for (const id of ["#interaction-last-title", "#interaction-keys"]) this.box.querySelector(id).hidden = last.length === 0;
  }

  item(one, at) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    Object.assign(button, { type: "button", title: "Sends it once more" });
    button.dataset.at = at;
    button.setAttribute("aria-keyshortcuts", String(at + 1));
    for (const [part, words] of [["number", String(at + 1)], ["type", one.event_type], ["words", one.words]]) {
      const span = document.createElement("span");
      span.dataset.part = part;
      span.textContent = words;
      button.append(span);
    }
    item.append(button);
    return item;
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const button = /^[1-9]$/.test(event.key) ? this.list.querySelectorAll("button")[Number(event.key) - 1] : null;
    if (!button) return;
    event.preventDefault();
    this.again(button);
  }

  async again(button) {
    if (!button || button.disabled) return;
    const body = new FormData();
    body.append("message", JSON.stringify(this.last[Number(button.dataset.at)].message));
    await this.send(body, button);
  }
}

/** Like post(), but an error stays an object: it names its field. */
async function ask(page, path, body) {
  const token = page.querySelector("input[name=csrfmiddlewaretoken]").value;
  const headers = { Accept: "application/json", "X-CSRFToken": token };
  const answer = await fetch(page.dataset.base + path, { method: "POST", body, headers }).catch(() => null);
  if (!answer) return { error: { message: "The console did not answer. Look at what was sent before you send it again." } };
  if (answer.redirected) return { error: { message: "You are signed out. Reload the page to sign in again." } };
  return answer.json().catch(() => ({ error: { message: `The console answered ${answer.status}.` } }));
}
