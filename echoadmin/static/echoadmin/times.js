// Times in the viewer's own zone; the exact UTC stays in the title.

const toTheMs = { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23" };
const precise = new Intl.DateTimeFormat(undefined, toTheMs);
const preciseDay = new Intl.DateTimeFormat(undefined, { day: "2-digit", month: "short", ...toTheMs });
const today = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const older = new Intl.DateTimeFormat(undefined, { day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });
const zone = new Intl.DateTimeFormat(undefined, { timeZoneName: "short" });

/** Writes each <time datetime> under `root` in the viewer's zone. */
export function localise(root) {
  for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    time.dataset.local = "";
    time.textContent = shown(at, time.closest(".ea-log") !== null);
    time.title = `${exact(at)} · shown in ${zone.formatToParts(at).find((part) => part.type === "timeZoneName")?.value ?? "your zone"}`;
  }
}

/** Words for a time: of today the hour alone; in a log to the millisecond. */
export function shown(at, isLog = false) {
  const isToday = at.toDateString() === new Date().toDateString();
  if (isLog) return (isToday ? precise : preciseDay).format(at);
  return (isToday ? today : older).format(at);
}

/** The exact UTC. */
export function exact(at) {
  return `${at.toISOString().replace("T", " ").replace("Z", "")} UTC`;
}

/** A <time> element of a log, for an ISO 8601 string. */
export function timeElement(iso) {
  const time = document.createElement("time");
  time.dateTime = iso;
  const holder = document.createElement("span");
  holder.className = "ea-log";
  holder.append(time);
  localise(holder);
  return time;
}

/** Seconds in human units: 0.4 s, 12.4 s, 2:05, 1:02:05. */
export function lasting(seconds) {
  if (seconds < 60) return `${Number.isInteger(seconds) ? seconds : seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}
