// A conversation's page: its state, its echoes and its log, kept up to date over one WebSocket; without it, by a look every 2 s.

import { Composer } from "./composer.js";
import { Echoes } from "./echoes.js";
import { Log } from "./log.js";
import { Standing } from "./standing.js";
import { follow } from "./socket.js";

const LOOK = 1000; // ms between looks while the socket is away, or the room is on its way to what is wanted
const SLOW_LOOK = 10000; // ms otherwise: time and money need no more

const page = document.getElementById("conversation");
const standing = new Standing(page);
const echoes = new Echoes(page, standing);
const log = new Log(page);
const composer = new Composer(page, standing, echoes);

let looking = null;
let asked = 0;

async function look() {
  clearTimeout(asked);
  looking ??= fetch(`${page.dataset.base}state/`, { headers: { Accept: "application/json" } })
    .then((answer) => (answer.ok ? answer.json() : null))
    .catch(() => null)
    .finally(() => (looking = null));
  const state = await looking;
  if (state) {
    standing.show(state);
    echoes.showAll(state.echoes);
    composer.show(state);
  }
  clearTimeout(asked);
  asked = setTimeout(look, log.isLive && isSettled(state?.room) ? SLOW_LOOK : LOOK);
}

function isSettled(room) {
  if (!room) return false;
  return room.wanted === "joined" ? room.state === "joined" && room.replica_present : room.state !== "leaving";
}

/** Looks soon, once, however many entries ask for it. */
let soon = 0;
function lookSoon() {
  clearTimeout(soon);
  soon = setTimeout(look, 150);
}

const first = JSON.parse(document.getElementById("conversation-state").textContent);
standing.show(first);
echoes.showAll(first.echoes);
composer.show(first);
asked = setTimeout(look, LOOK);

follow(page.dataset.id, Number(page.dataset.after), {
  entry(entry) {
    log.add(entry);
    if (log.isCaughtUp && (entry.kind !== "app_message" || /joined|shutdown|present/.test(entry.event_type))) lookSoon();
  },
  echo: (echo) => echoes.show(echo),
  caughtUp: () => log.caughtUp(),
  state: (words) => log.setLive(words),
});
