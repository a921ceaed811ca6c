// The stage: who is in the room and since when, and what the console draws or frames there, in a module of its own.

import { lasting, localise } from "../echoadmin/times.js";

export function start(bus, root) {
  const people = new People(root.querySelector("#people"));
  bus.on("state", (state) => people.clock(state.now));
  bus.on("room", (room) => people.show(room));
  draw(bus, root);
}

/** The stage's own module comes a moment later: it is told which echoes there were until then. */
async function draw(bus, root) {
  const address = root.querySelector("[data-stage-module]")?.dataset.stageModule;
  if (!address) return;
  const told = new Map();
  let isDrawn = false;
  bus.on("echo", (echo) => isDrawn || told.set(echo.inference_id, echo));
  const module = await import(address);
  isDrawn = true;
  module.start(bus, root, [...told.values()]);
}

class People {
  constructor(list) {
    this.list = list;
    this.ahead = 0; // ms that the console's clock is ahead of this browser's
    setInterval(() => this.tick(), 1000);
  }

  clock(now) {
    this.ahead = Date.parse(now) - Date.now();
    this.tick();
  }

  show(room) {
    const rows = room.people.map((one) => row(one, room));
    if (room.state !== "joined") rows.push(words("This console is not in the room, and does not see who is."));
    else if (!room.replica_present) rows.push(words("The replica has not come yet."));
    this.list.replaceChildren(...rows);
    localise(this.list);
    this.tick();
  }

  tick() {
    for (const field of this.list.querySelectorAll("[data-since]")) {
      const seconds = Math.max(0, Math.round((Date.now() + this.ahead - Date.parse(field.dataset.since)) / 1000));
      field.textContent = `for ${lasting(seconds)}`;
    }
  }
}

function row(one, room) {
  const item = words("");
  const name = document.createElement("span");
  name.className = "ea-person";
  name.textContent = called(one, room);
  item.append(name);
  if (!one.joined_at) return item;
  const since = document.createElement("time");
  since.dateTime = one.joined_at;
  const long = document.createElement("span");
  long.dataset.since = one.joined_at;
  const times = document.createElement("span");
  times.className = "ea-person-times";
  times.append(long, " · since ", since);
  item.append(times);
  return item;
}

function called(one, room) {
  if (one.is_us) return `This console (worker ${room.worker})`;
  if (one.is_replica) return one.name.toLowerCase() === "replica" ? "The replica" : `${one.name} (the replica)`;
  return `${one.name} (guest)`;
}

function words(said) {
  const item = document.createElement("li");
  item.textContent = said;
  return item;
}
