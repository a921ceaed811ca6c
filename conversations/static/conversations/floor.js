// Who alone may speak: shown, taken, handed over, released.

import { post } from "./posting.js";

export function start(bus, root) {
  const part = root.querySelector("#waiting-part");
  const words = root.querySelector("#floor-words");
  const bar = root.querySelector("#floor");
  const error = root.querySelector("#queue-error");

  bus.on("room", (room) => {
    const floor = room.floor;
    const isMine = floor?.name === part.dataset.me;
    if (!floor) words.textContent = "The floor is free: everybody who may speak can.";
    else words.textContent = isMine ? "You have the floor: you alone can speak." : `${floor.name} has the floor and alone can speak.`;
    if (!bar) return;
    const mayGive = floor && (isMine || part.dataset.mayManage === "yes");
    const take = bar.querySelector('[data-floor="take"]');
    take.hidden = isMine || (floor && !mayGive);
    take.textContent = floor ? "Take over the floor" : "Take the floor";
    bar.querySelector('[data-floor="release"]').hidden = !mayGive;
    bar.querySelector("#floor-hand").hidden = !mayGive;
  });

  bar?.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-floor]");
    if (!button) return;
    const body = new FormData();
    body.append("action", button.dataset.floor);
    body.append("to", bar.querySelector("#floor-to").value.trim());
    const done = await post(root, "floor/", body);
    error.hidden = !done.error;
    error.textContent = done.error ?? "";
    if (!done.error) bus.tell("room", { ...bus.last.room, floor: done.floor });
  });
}
