// The script's panel on a conversation's page: choose one, fill it in, start it; where it is; pause, skip, stop, resume.

import { post } from "./posting.js";

const LOOK = 1000; // ms between looks while a script is under way
const SOON = 120; // ms after an echo of it changed

export function start(bus, root) {
  const panel = root.querySelector("#script");
  if (panel) new Script(bus, root, panel);
}

class Script {
  constructor(bus, root, panel) {
    this.root = root;
    this.panel = panel;
    this.timer = 0;
    this.form = panel.querySelector("#script-start");
    this.wrong = panel.querySelector("#script-wrong");
    this.shown = "";
    this.run = freshId();
    bus.on("echo", (echo) => echo.source === "script" && this.lookIn(SOON));
    bus.on("caughtup", () => this.lookIn(SOON));
    panel.addEventListener("click", (event) => this.act(event));
    this.form?.addEventListener("submit", (event) => this.start(event));
    this.form?.querySelector("#script-choice").addEventListener("change", () => this.ask());
    this.show(JSON.parse(root.querySelector("#script-panel").textContent));
  }

  part(name) {
    return this.panel.querySelector(`[data-script="${name}"]`);
  }

  lookIn(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), ms);
  }

  async look() {
    const address = `${this.panel.dataset.address}${this.isOpen ? "?only=run" : ""}`;
    const answer = await fetch(address, { headers: { Accept: "application/json" } }).catch(() => null);
    if (answer?.ok && !answer.redirected) this.show(await answer.json());
    else this.lookIn(LOOK);
  }

  show(panel) {
    clearTimeout(this.timer);
    if (panel.scripts) this.offer(panel.scripts);
    this.isOpen = Boolean(panel.run && !panel.run.ended);
    this.tell(panel.run);
    if (this.isOpen) this.lookIn(LOOK);
  }

  /** The choice is drawn again only when there are others: what is filled in stays. */
  offer(scripts) {
    if (!this.form) return;
    const now = JSON.stringify(scripts);
    if (now === this.shown) return;
    this.shown = now;
    this.scripts = new Map(scripts.map((one) => [one.id, one]));
    const choice = this.form.querySelector("#script-choice");
    const before = choice.value;
    choice.replaceChildren(...scripts.map((one) => new Option(one.name, one.id)));
    if (this.scripts.has(before)) choice.value = before;
    this.panel.querySelector("#script-none").hidden = scripts.length > 0;
    this.ask();
  }

  /** The chosen script's variables, each a field; what was filled in for one of that name stays. */
  ask() {
    const chosen = this.scripts.get(this.form.querySelector("#script-choice").value);
    this.form.querySelector("#script-about").textContent = chosen?.about ?? "";
    const values = this.form.querySelector("#script-values");
    const before = new Map([...values.querySelectorAll("input")].map((input) => [input.name, input.value]));
    const fields = (chosen?.variables ?? []).map(({ name, default: usual }) => {
      const label = document.createElement("label");
      const input = document.createElement("input");
      Object.assign(input, { name: `variable-${name}`, autocomplete: "off", placeholder: usual, value: before.get(`variable-${name}`) ?? "" });
      label.append(name, " ", input);
      return label;
    });
    values.replaceChildren(...fields);
  }

  tell(run) {
    const box = this.panel.querySelector("#script-run");
    box.hidden = !run;
    if (this.form) this.form.hidden = this.scripts.size === 0 || this.isOpen;
    if (!run) return;
    this.current = run.id;
    const write = (name, words) => {
      if (this.part(name).textContent !== words) this.part(name).textContent = words;
    };
    write("name", run.name);
    this.part("name").href = run.address;
    write("state", run.state);
    this.part("state").dataset.state = run.state;
    write("at", run.at ? `line ${run.at} of ${run.total}` : `${run.done} of ${run.total} lines`);
    this.part("progress").max = run.total || 1;
    this.part("progress").value = run.done;
    this.part("line").hidden = run.ended || !run.line;
    write("line", run.line_state ? run.line : `Next: ${run.line}`);
    this.part("after").hidden = run.ended || !run.line_state || !run.after;
    write("after", `Then: ${run.after}`);
    this.part("wish").hidden = !run.wish;
    write("wish", run.state === "paused" ? "This line is left out when it goes on." : "The line is being skipped.");
    this.refuse(run.error);
    this.offerActs(run);
  }

  offerActs(run) {
    const resumable = ["paused", "stopped", "failed"].includes(run.state);
    const can = { pause: ["waiting", "running"].includes(run.state), resume: resumable, skip: !run.ended && run.state !== "stopping", stop: !run.ended };
    for (const button of this.panel.querySelectorAll("[data-script-do]")) {
      const shown = can[button.dataset.scriptDo];
      if (!shown && document.activeElement === button) this.panel.querySelector(`[data-script-do="${resumable ? "resume" : "pause"}"]`)?.focus();
      button.hidden = !shown;
    }
  }

  async start(event) {
    event.preventDefault();
    const button = this.form.querySelector("#script-go");
    if (button.disabled) return;
    button.disabled = true;
    const body = new FormData(this.form);
    body.append("run", this.run);
    const done = await post(this.root, "script/start/", body);
    button.disabled = false;
    if (done.error) return this.refuse(done.error);
    this.run = freshId();
    this.show(done);
  }

  async act(event) {
    const button = event.target.closest("[data-script-do]");
    if (!button || button.disabled) return;
    button.disabled = true;
    const done = await post(this.root, `script/${this.current}/${button.dataset.scriptDo}/`);
    button.disabled = false;
    if (done.error) this.refuse(done.error);
    else this.show(done);
  }

  refuse(words) {
    if (this.wrong.textContent !== words) this.wrong.textContent = words;
    this.wrong.hidden = !words;
  }
}

function freshId() {
  const letters = "0123456789abcdefghjkmnpqrstvwxyz";
  return `rn_${Array.from(crypto.getRandomValues(new Uint8Array(20)), (byte) => letters[byte % 32]).join("")}`;
}
