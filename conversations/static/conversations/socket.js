// The conversation's WebSocket: reads on from the last entry it saw, knows within 3 s when the other end is gone, also when
// nothing tells it so, and comes back by itself. What was asked over a connection that is gone is refused, never sent later.

const PING_EVERY = 1000; // ms
const ANSWER_WITHIN = 1500; // ms: without any word for so long after a ping, the connection is dead
const TICK = 100; // ms
const STALLED = 600; // ms: a tick that comes so late says that this page stood still, not the connection
const OPEN_WITHIN = 4000; // ms
const SHORTEST = 250; // ms between two tries
const LONGEST = 5000;
const AT_MOST = 2000; // entries that are read on; of more, the newest alone
const REFUSED = { 4401: "signed out", 4403: "not allowed", 4404: "not found" };
const GONE = { code: "away", message: "The connection to the console is lost: this was not sent, or its answer did not come.", way_out: "Look at the echoes before you send it again." };

/**
 * Follows a conversation's log from entry `after` on.
 * on: { message(said): each message but pong, ack and error with a ref; words("connecting" | "live" | "away" | why it was refused) }
 */
export class Line {
  constructor(id, after, on) {
    this.id = id;
    this.after = after;
    this.on = on;
    this.wait = SHORTEST;
    this.asked = new Map(); // ref → { resolve, reject }
    this.refs = 0;
    this.words = "";
    this.ticked = performance.now();
    setInterval(() => this.tick(), TICK);
    window.addEventListener("online", () => this.now());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.now());
    this.say("connecting");
    this.connect();
  }

  get isLive() {
    return this.words === "live";
  }

  /** Sends a message; gives its ack, or throws { code, message, way_out }. Refused at once while the line is away. */
  ask(message) {
    if (!this.isLive) return Promise.reject({ ...GONE, message: "The console is out of reach: nothing was sent." });
    const ref = ++this.refs;
    this.socket.send(JSON.stringify({ ...message, ref }));
    return new Promise((resolve, reject) => this.asked.set(ref, { resolve, reject }));
  }

  /** Sends samples; false when they could not be sent. */
  frame(bytes) {
    if (this.isLive) this.socket.send(bytes);
    return this.isLive;
  }

  connect() {
    clearTimeout(this.again);
    this.again = 0;
    this.begun = performance.now();
    this.pinged = 0; // when the ping was sent that waits for an answer
    this.heard = 0; // when the last word came
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/ws/v1/conversations/${this.id}/?after=${this.after}&at_most=${AT_MOST}`);
    this.socket = socket;
    const mine = (handle) => (event) => socket === this.socket && handle(event);
    socket.addEventListener("open", mine(() => this.ping(performance.now())));
    socket.addEventListener("message", mine(({ data }) => this.hear(JSON.parse(data))));
    socket.addEventListener("close", mine(({ code }) => this.lose(code)));
  }

  hear(said) {
    this.heard = performance.now();
    this.pinged = 0;
    if (!this.isLive) {
      this.wait = SHORTEST;
      this.say("live");
    }
    if (said.type === "pong") return;
    if (said.type === "entry") this.after = Math.max(this.after, said.entry.n);
    if (said.type === "missed") this.after = Math.max(this.after, said.until);
    const asked = said.ref == null ? null : this.asked.get(said.ref);
    if (!asked) return this.on.message(said);
    this.asked.delete(said.ref);
    if (said.type === "error") asked.reject(said.error);
    else asked.resolve(said);
  }

  ping(at) {
    this.pinged = at;
    this.sent = at;
    this.socket.send('{"type":"ping"}');
  }

  tick() {
    const at = performance.now();
    const late = at - this.ticked - TICK;
    this.ticked = at;
    if (!this.socket) return;
    if (this.socket.readyState === WebSocket.CONNECTING) {
      if (at - this.begun > OPEN_WITHIN) this.lose();
      return;
    }
    if (this.socket.readyState !== WebSocket.OPEN) return this.lose(); // closing: the other end may never answer
    if (this.pinged && late > STALLED) this.pinged = Math.max(this.pinged, at - ANSWER_WITHIN / 2); // answers may wait to be read
    if (this.pinged && at - this.pinged > ANSWER_WITHIN) this.lose();
    else if (!this.pinged && at - this.sent >= PING_EVERY) this.ping(at);
  }

  /** This connection is over. Another one follows, unless it was refused. */
  lose(code) {
    const socket = this.socket;
    this.socket = null;
    socket.close();
    for (const { reject } of this.asked.values()) reject(GONE);
    this.asked.clear();
    const wasLive = this.isLive;
    // Signed out in the middle: another tab may have signed in again, which one more try finds out.
    if (REFUSED[code] && !(code === 4401 && wasLive)) return this.say(REFUSED[code]);
    this.say("away");
    this.again = setTimeout(() => this.connect(), this.wait * (0.75 + Math.random() / 4));
    this.wait = Math.min(this.wait * 2, LONGEST);
  }

  /** What waits to be tried again is tried at once. */
  now() {
    if (this.again) this.connect();
    else this.tick();
  }

  say(words) {
    if (words === this.words) return;
    this.words = words;
    this.on.words(words);
  }
}
