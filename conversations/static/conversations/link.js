// The page's link to the console: what comes over the WebSocket is told on the bus; while it is away, a look every 2 s.

import { Line } from "./socket.js";

const LOOK = 2000; // ms between two looks while the socket is away
const LOOK_WITHIN = 2500; // ms

export function start(bus, root) {
  new Link(bus, root);
}

class Link {
  constructor(bus, root) {
    this.bus = bus;
    this.address = `${root.dataset.base}state/`;
    this.words = "";
    this.answered = true; // the last look
    this.pushes = 0;
    const { echoes, ...state } = JSON.parse(document.getElementById("conversation-state").textContent);
    this.show(state, echoes);
    this.line = new Line(root.dataset.id, Number(root.dataset.after), {
      message: (said) => this.message(said),
      words: (words) => this.turn(words),
    });
    bus.ask = (message) => this.line.ask(message);
    bus.frame = (bytes) => this.line.frame(bytes);
  }

  message({ type, ...said }) {
    if (type === "room") this.push(said);
    else if (type === "entry" || type === "echo") this.bus.tell(type, said[type]);
    else if (type === "missed") this.bus.tell("missed", said);
    else if (type === "caught_up") this.bus.tell("caughtup", said);
    else if (type === "error") this.bus.tell("fault", said.error);
  }

  push(state) {
    this.pushes += 1;
    this.show(state);
  }

  show(state, echoes = []) {
    this.bus.tell("state", state);
    if (JSON.stringify(state.room) !== JSON.stringify(this.bus.last.room)) this.bus.tell("room", state.room);
    for (const echo of echoes.reverse()) this.bus.tell("echo", echo);
  }

  turn(words) {
    this.words = words;
    if (words === "away") this.answered = false;
    this.tell();
    // An echo that ended meanwhile is told by no socket: one look on coming back, and looks while it is away.
    if (words === "live" || words === "away") this.look();
  }

  tell() {
    const isLive = this.words === "live";
    this.bus.tell("link", { words: this.words, isLive, isReachable: isLive || this.answered });
  }

  async look() {
    clearTimeout(this.next);
    if (this.looking) return;
    this.looking = true;
    const before = this.pushes;
    const state = await fetch(this.address, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(LOOK_WITHIN) })
      .then((answer) => (answer.ok && !answer.redirected ? answer.json() : null))
      .catch(() => null);
    this.looking = false;
    if (state) {
      const { echoes, ...standing } = state;
      this.show(before === this.pushes ? standing : this.bus.last.state, echoes); // a push is newer than the look that it overtook
    }
    if (this.answered !== Boolean(state)) {
      this.answered = Boolean(state);
      this.tell();
    }
    if (this.words === "away" || (this.words === "live" && !state)) this.next = setTimeout(() => this.look(), LOOK);
  }
}
