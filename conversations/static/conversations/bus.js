// What the parts of a conversation's page tell one another. Each part listens here, and touches no other part.
//
// state    how the conversation stands, as state/ answers it, without its echoes
// room     the room alone, whenever it changed: { wanted, state, worker, error, replica_present, joined_at, people }
// echo     one echo, new or changed, as the API has it
// entry    one entry of the log, in order
// missed   { after, until, count }: entries that were left out because there were too many of them
// caughtup { n }: everything until now was told
// link     { words, isLive, isReachable }: the connection; words are connecting, live, away, or why it was refused
// fault    { code, message, way_out }: the console refused what came over the socket without a ref
// refused  words to show where one types

export class Bus extends EventTarget {
  constructor() {
    super();
    this.last = {}; // the newest payload of each event
  }

  /** Calls `handler(payload)` at each `name`; of state, room and link also now, with what was told last. */
  on(name, handler) {
    this.addEventListener(name, ({ detail }) => handler(detail));
    if (["state", "room", "link"].includes(name) && this.last[name]) handler(this.last[name]);
  }

  tell(name, payload) {
    this.last[name] = payload;
    this.dispatchEvent(new CustomEvent(name, { detail: payload }));
  }
}
