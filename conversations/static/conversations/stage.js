// The stage: who is in the room, and since when.

import { localise } from "../echoadmin/times.js";

export function start(bus, root) {
  const list = root.querySelector("#people");
  bus.on("room", (room) => list.replaceChildren(...(room.people.length ? room.people.map(row) : [nobody()])));
}

function row(one) {
  const item = document.createElement("li");
  const name = document.createElement("span");
  name.textContent = one.is_replica && one.name !== "replica" ? `${one.name} (the replica)` : one.name;
  item.append(name);
  if (one.joined_at) {
    const since = document.createElement("time");
    since.dateTime = one.joined_at;
    item.append(since);
    localise(item);
  }
  return item;
}

function nobody() {
  const item = document.createElement("li");
  item.textContent = "Nobody but this console, if that";
  return item;
}
