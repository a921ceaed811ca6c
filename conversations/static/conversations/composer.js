// The box in which one says something: Enter says it, Shift+Enter makes a new line, Esc interrupts, Up recalls. One can
// always type; what could not be sent comes back into the box.

import { Files } from "./files.js";
import { freshId, post } from "./posting.js";
import { Recall } from "./recall.js";
import { lasting } from "../echoadmin/times.js";

const CHARACTERS_A_SECOND = 15;
const TAG = /<emotion\b[^<>]{0,200}>/g; // told to the replica, not said
const SURELY_ONE = 3400; // bytes of JSON that fit into one message with any ids; of more the console is asked
const ASK_AFTER = 250; // ms without a key
const AWAY = "The console is out of reach: nothing is sent, and nothing will be sent later by itself. What you typed stays here.";
const NOT_SENT = "Not sent: the console is out of reach. What you typed stays here; send it when the page says live again.";

const SIGNED_OUT = "You are signed out"; // how each such refusal begins
const SHUT = { // why the console closed the connection for good
  "signed out": "You are signed out: nothing is sent. Sign in again; what you typed stays here, and is here again afterwards.",
  "not allowed": "Your role no longer lets you read this: nothing is sent, and nothing new is shown. What you typed stays here; an admin can change your role under Users.",
};

export function start(bus, root) {
  const composer = new Composer(bus, root);
  bus.on("state", (state) => composer.show(state));
  bus.on("room", (room) => composer.showFloor(room));
  bus.on("link", (link) => composer.reach(link));
  bus.on("refused", (words) => composer.refuse(words));
}

class Composer {
  constructor(bus, page) {
    this.bus = bus;
    this.page = page;
    this.hint = page.querySelector('[data-live="hint"]');
    this.form = page.querySelector("#composer");
    if (!this.form) return;
    for (const [name, id] of [["text", "say-text"], ["button", "say"], ["stop", "interrupt"], ["error", "say-error"], ["length", "say-length"], ["cuts", "say-cuts"], ["file", "say-audio"], ["signIn", "say-sign-in"]]) {
      this[name] = this.form.querySelector(`#${id}`);
    }
    this.recall = new Recall(page.dataset.id);
    this.waits = this.form.dataset.reviewed === "yes" ? "Your lines wait until a second person lets them be said." : "";
    this.shut = ""; // why there is no connection any more
    this.unsent = []; // { text, id } in the order in which they were typed
    this.files = new Files(bus, page, this.form, () => this.why());
    this.restore(this.recall.unsent, this.recall.draft);
    this.form.addEventListener("submit", (event) => this.submit(event));
    this.text.addEventListener("keydown", (event) => this.key(event));
    this.text.addEventListener("input", () => this.changed());
    document.addEventListener("keydown", (event) => this.escape(event));
  }

  reach({ words, isReachable }) {
    this.isAway = isReachable === false;
    this.shut = SHUT[words] ?? "";
    if (this.signIn && words === "signed out") this.signIn.hidden = false;
    if (this.state) this.show(this.state);
  }

  show(state) {
    this.state = state;
    const taken = this.form ? floorWords(state.room.floor, this.page.querySelector("#waiting-part")) : "";
    const hint = this.shut ? this.shut : this.isAway ? AWAY : state.can_speak && taken ? taken : [state.hint, state.can_speak && this.waits].filter(Boolean).join(" ");
    if (this.hint && this.hint.textContent !== hint) this.hint.textContent = hint;
    if (!this.form) return;
    this.canSpeak = state.can_speak && !taken;
    this.stop.disabled = !state.can_speak; // whoever has the floor: an interrupt never needs it
    for (const element of [this.button, this.file]) element.disabled = !this.canSpeak;
    this.form.classList.toggle("ea-off", !this.canSpeak);
  }

  /** The floor changes without the rest. */
  showFloor(room) {
    if (this.state) this.show({ ...this.state, room });
  }

  /** Why nothing can be sent now, or "". */
  why() {
    if (this.shut) return this.shut;
    if (this.isAway && this.state?.can_speak) return NOT_SENT;
    return this.canSpeak ? "" : this.hint?.textContent || "The page is not ready yet.";
  }

  key(event) {
    if (event.isComposing || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (event.key === "Enter") {
      event.preventDefault();
      this.say();
    }
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const recalled = by ? this.recall.step(this.text.value, by) : null;
    if (recalled === null) return;
    event.preventDefault();
    this.write(recalled);
  }

  escape(event) {
    if (event.key === "Escape" && !event.defaultPrevented && this.state?.can_speak && !document.querySelector("[popover]:popover-open")) this.interrupt();
  }

  write(text) {
    this.text.value = text;
    this.changed();
  }

  changed() {
    this.recall.keep(this.text.value, this.unsent);
    this.measure();
  }

  measure() {
    clearTimeout(this.asking);
    const words = this.text.value.trim();
    this.tellLength(words.replace(TAG, "").length / CHARACTERS_A_SECOND, words ? 1 : 0);
    this.cuts.hidden = true;
    if (new TextEncoder().encode(JSON.stringify(words)).length > SURELY_ONE) this.asking = setTimeout(() => this.cut(words), ASK_AFTER);
  }

  tellLength(seconds, count) {
    const messages = count > 1 ? `${count} messages` : "one message";
    this.length.textContent = count ? `≈ ${lasting(Math.max(0.1, Math.round(seconds * 10) / 10))} · ${messages}` : "";
  }

  /** Where the console will cut it. */
  async cut(words) {
    const body = new FormData();
    body.append("text", words);
    const told = await post(this.page, "cuts/", body);
    if (this.text.value.trim() !== words) return; // another look is under way
    if (told.error) return this.tellCuts([told.error]);
    this.tellLength(told.seconds, told.parts.length);
    if (told.parts.length > 1) this.tellCuts(told.parts.slice(1).map(({ begins }, at) => `…${told.parts[at].ends} ✂ ${begins}…`));
  }

  tellCuts(lines) {
    this.cuts.replaceChildren(...lines.map((line) => Object.assign(document.createElement("li"), { textContent: line })));
    this.cuts.hidden = false;
  }

  submit(event) {
    event.preventDefault();
    if (event.submitter?.id === "interrupt") this.interrupt();
    else this.say();
  }

  say() {
    const text = this.text.value;
    const why = text.trim() ? this.why() : "Type what the replica is to say.";
    if (why) return this.refuse(why);
    this.refuse("");
    const id = this.failed?.text === text ? this.failed.id : freshId(); // tried again with its id, it is said once
    this.unsent.push({ text, id });
    this.write("");
    this.text.focus();
    if (!this.busy) this.send();
  }

  /** One after the other: what is typed first is said first. */
  async send() {
    this.busy = true;
    this.button.setAttribute("aria-busy", "true");
    let error = "";
    while (this.unsent.length && !error) {
      const [{ text, id }] = this.unsent;
      const body = new FormData();
      body.append("text", text);
      body.append("inference_id", id);
      const done = await post(this.page, "speak/", body);
      error = done.error ?? "";
      if (error) break;
      this.unsent.shift();
      this.recall.add(text);
      this.recall.keep(this.text.value, this.unsent);
      this.bus.tell("echo", done);
    }
    this.busy = false;
    this.button.removeAttribute("aria-busy");
    if (!error) return;
    this.restore(this.unsent.splice(0), this.text.value);
    this.refuse(error);
  }

  /** What was not sent comes back into the box, before what was typed since. */
  restore(unsent, draft) {
    [this.failed] = unsent;
    this.write([...unsent.map(({ text }) => text), draft].filter(Boolean).join("\n"));
  }

  async interrupt() {
    this.refuse("");
    const done = await post(this.page, "interrupt/");
    if (done.error) this.refuse(done.error);
  }

  refuse(words) {
    if (!this.error) return;
    this.error.textContent = words;
    this.error.hidden = !words;
    this.signIn.hidden = !this.shut.startsWith(SIGNED_OUT) && !words.startsWith(SIGNED_OUT);
  }
}

/** Why one can't speak because somebody else has the floor, and the way out; "" when one can. */
function floorWords(floor, part) {
  if (!floor || (floor.name === part.dataset.me && !floor.key)) return "";
  const wayOut = part.dataset.mayManage === "yes" ? "Take it over beside the queue" : "Ask them to hand it over";
  return `${floor.name} has the floor${floor.key ? ` with the API key ${floor.key}` : ""} and alone can speak. ${wayOut}; an interrupt works all the same.`;
}
