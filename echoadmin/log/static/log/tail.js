// The log's WebSocket: reads on from a cursor, comes back by itself from where it was, slower and slower.

const LONGEST = 30000; // ms between two tries
const REFUSED = { 4400: "can’t follow this filter", 4401: "signed out", 4403: "not allowed" };

/**
 * Follows the log from `cursor` on. filters: as in the page's address.
 * on: { entry(entry), state("connecting" | "live" | "away" | why it was refused) }
 */
export function followLog(cursor, filters, on) {
  let wait = 500;

  function connect() {
    on.state("connecting");
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const query = new URLSearchParams(filters);
    query.set("after", cursor);
    const socket = new WebSocket(`${scheme}://${location.host}/ws/v1/log/?${query}`);
    socket.addEventListener("message", ({ data }) => {
      const said = JSON.parse(data);
      if (said.type === "entry") {
        cursor = said.entry.cursor;
        on.entry(said.entry);
      } else if (said.type === "caught_up") {
        cursor = said.cursor;
        wait = 500;
        on.state("live");
      }
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
