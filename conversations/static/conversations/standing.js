// How the conversation stands: its state, time, money and room. The clock runs here between two looks at the server.

import { exact, lasting } from "../echoadmin/times.js";

export function start(bus, root) {
  const standing = new Standing(root);
  bus.on("state", (state) => standing.show(state));
}

class Standing {
  constructor(page) {
    this.page = page;
    this.state = null;
    this.at = 0;
    setInterval(() => this.tick(), 1000);
  }

  field(name) {
    return this.page.querySelector(`[data-live="${name}"]`);
  }

  write(name, words) {
    const field = this.field(name);
    if (field && field.textContent !== words) field.textContent = words;
  }

  chip(name, state) {
    this.write(name, state);
    const field = this.field(name);
    if (field) field.dataset.state = state;
  }

  show(state) {
    this.state = state;
    this.at = performance.now();
    this.chip("state", state.state);
    this.chip("room", state.room.state);
    this.write("cost", state.cost);
    this.write("cost-words", state.cost ? `So far it cost ${state.cost}.` : "");
    this.write("ended", state.ended_reason);
    this.write("room-more", roomWords(state.room));
    if (this.field("left")) this.field("left").title = state.ending ? exact(new Date(state.ending.at)) : "";
    this.toggle("idle", state.is_active && state.room.wanted !== "joined");
    this.toggle("joined", state.is_active && state.room.wanted === "joined");
    this.toggle("active", state.is_active);
    this.tick();
  }

  toggle(name, shown) {
    for (const element of this.page.querySelectorAll(`[data-shown-when="${name}"]`)) element.hidden = !shown;
  }

  tick() {
    if (!this.state) return;
    const passed = this.state.is_active ? (performance.now() - this.at) / 1000 : 0;
    this.write("clock", clock(this.state.seconds + passed));
    const { seconds_left: left, ending } = this.state;
    this.write("left", ending ? endingWords(Math.round(left - passed), ending) : "");
  }
}

function clock(seconds) {
  const two = (number) => String(Math.floor(number)).padStart(2, "0");
  return `${two(seconds / 3600)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}`;
}

/** "ends by itself in 47:29: its longest time" */
function endingWords(left, { because, provided }) {
  return [left > 0 ? `ends by itself in ${lasting(left)}` : "ends by itself now", provided].filter(Boolean).join(" ") + `: ${because}`;
}

function roomWords(room) {
  const words = [];
  if (room.worker) words.push(`by worker ${room.worker}`);
  if (room.state === "joined") {
    words.push(room.replica_present ? "the replica is there" : "waiting for the replica");
    const others = room.people.filter((one) => !one.is_replica && !one.is_us).map((one) => one.name);
    words.push(others.length ? `in it: ${others.join(", ")}` : "nobody else is in it");
  }
  if (room.error) words.push(room.error);
  return words.join(" · ");
}
