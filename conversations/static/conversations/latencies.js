// How long the steps of echoes take, here and in all conversations: read when it is opened, and again as echoes end.

import { hasEnded } from "./echo_states.js";

const AT_MOST_EVERY = 5000; // ms
const STEPS = {
  queued_to_sending: "waits until it is sent",
  sending_to_sent: "is sent",
  sent_to_speaking: "sent, until the replica begins",
  queued_to_speaking: "asked for, until the replica begins",
};

export function start(bus, root) {
  const latencies = new Latencies(root.querySelector("#latencies"), `/api/v1/conversations/${root.dataset.id}/latencies/`);
  bus.on("echo", (echo) => hasEnded(echo) && latencies.later());
}

class Latencies {
  constructor(part, here) {
    this.part = part;
    this.addresses = [here, "/api/v1/latencies/"];
    this.readAt = -AT_MOST_EVERY;
    part.addEventListener("toggle", () => part.open && this.read());
  }

  later() {
    if (!this.part.open || this.waiting) return;
    this.waiting = setTimeout(() => this.read(), Math.max(0, this.readAt + AT_MOST_EVERY - performance.now()));
  }

  async read() {
    clearTimeout(this.waiting);
    this.waiting = 0;
    this.readAt = performance.now();
    const answers = await Promise.all(this.addresses.map((address) => fetch(address).then((answer) => (answer.ok ? answer.json() : null)).catch(() => null)));
    if (answers.every(Boolean)) this.part.querySelector("tbody").replaceChildren(...Object.keys(STEPS).map((step) => row(step, answers)));
  }
}

function row(step, answers) {
  const made = document.createElement("tr");
  const name = document.createElement("th");
  name.scope = "row";
  name.textContent = STEPS[step];
  made.append(name);
  for (const { steps } of answers) {
    for (const share of ["p50", "p95"]) made.append(Object.assign(document.createElement("td"), { className: "ea-number", textContent: ms(steps[step][share]) }));
  }
  return made;
}

function ms(seconds) {
  if (seconds === null) return "–";
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;
}
