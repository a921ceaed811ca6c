// What the page's parts know of an echo's states, and which of two tellings of one is the newer.

const ENDED = new Set(["spoken", "interrupted", "failed", "unconfirmed", "cancelled", "rejected"]);
const WAITING = new Set(["held", "queued"]);

export function hasEnded(echo) {
  return ENDED.has(echo.state);
}

export function isWaiting(echo) {
  return WAITING.has(echo.state);
}

/**
 * Whether `echo` is older than `before`: a push may overtake a look at the server. What has reached more steps, or was
 * edited or moved more often, is the newer.
 */
export function older(echo, before) {
  return reached(echo) < reached(before) || echo.revision < before.revision;
}

function reached(echo) {
  return Object.values(echo.times ?? {}).filter(Boolean).length;
}
