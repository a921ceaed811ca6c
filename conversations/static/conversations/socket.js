// The conversation's WebSocket: reads on from the last entry it saw, comes back by itself, slower and slower.

const LONGEST = 30000; // ms between two tries
const REFUSED = { 4401: "signed out", 4403: "not allowed", 4404: "not found" };

/**
 * Follows a conversation's log from entry `after` on.
 * on: { entry(entry), echo(echo), caughtUp(), state("connecting" | "live" | "away" | why it was refused) }
 */
export function follow(id, after, on) {
  let wait = 500;

  function connect() {
    on.state("connecting");
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/ws/v1/conversations/${id}/?after=${after}`);
    socket.addEventListener("open", () => {
      wait = 500;
      on.state("live");
    });
    socket.addEventListener("message", ({ data }) => {
      const said = JSON.parse(data);
      if (said.type === "entry") {
        after = Math.max(after, said.entry.n);
        on.entry(said.entry);
      } else if (said.type === "echo") on.echo(said.echo);
      else if (said.type === "caught_up") on.caughtUp();
    });
    socket.addEventListener("close", ({ code }) => {
      if (REFUSED[code]) return on.state(REFUSED[code]);
      on.state("away");
      setTimeout(connect, wait * (0.75 + Math.random() / 2));
      wait = Math.min(wait * 2, LONGEST);
    });
  }

  connect();
}
