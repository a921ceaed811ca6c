// Which of two tellings of an echo is the newer one.

/** Whether `echo` is older than `before`: a push may overtake a look at the server, and what reached more steps is newer. */
export function older(echo, before) {
  return reached(echo) < reached(before);
}

function reached(echo) {
  return Object.values(echo.times ?? {}).filter(Boolean).length;
}
