// Entries become lines: all of an echo is one line, what is told in both vocabularies is one, a run of heartbeats is one.

import { factOf, isChunk, isNoise, spokenIn } from "./words.js";

const SAME_FACT = 15_000; // ms between two messages that tell the same thing
const NEAR = 8; // lines among which the same fact is looked for

/**
 * A line: { shape, key, first, last (numbers of entries), entry (its first), count, echo (our id, or null), sound (the id
 *   of an entry whose sound is the echo's, or null), isError }
 * shape: "said" by us (an echo), "heard" (an utterance), "event", "noise" (a run of it), or "row" of the raw log.
 */
export class Folding {
  constructor(filters) {
    this.filters = filters;
    this.clear();
  }

  clear() {
    this.byKey = new Map();
    this.recent = []; // the newest lines, for what is told twice
  }

  /** The line that the entry belongs to, and whether it is a new one. */
  add(entry) {
    const found = this.lineOf(entry);
    if (found) {
      found.last = entry.n;
      found.count += 1;
      found.isError ||= entry.is_error;
      if (isChunk(entry)) found.sound ??= entry.id;
      return { line: found, isNew: false };
    }
    const line = this.make(entry);
    if (line.key) this.byKey.set(line.key, line);
    this.recent.push(line);
    if (this.recent.length > NEAR) this.recent.shift();
    return { line, isNew: true };
  }

  /** Takes in a line that was read from the log: the one of its echo that is there already, else itself. */
  join(line) {
    const known = this.byKey.get(line.key);
    if (!known) {
      if (line.key) this.byKey.set(line.key, line);
      return line;
    }
    const { entry, first } = line.first < known.first ? line : known;
    const last = Math.max(known.last, line.last);
    const isError = known.isError || line.isError;
    return Object.assign(known, { entry, first, last, isError, count: known.count + line.count, sound: known.sound ?? line.sound });
  }

  lineOfEcho(id) {
    return this.byKey.get(this.filters.isLog ? `chunks ${id}` : `echo ${id}`);
  }

  forget(line) {
    if (this.byKey.get(line.key) === line) this.byKey.delete(line.key);
  }

  lineOf(entry) {
    const key = this.keyOf(entry);
    if (key) return this.byKey.get(key);
    if (this.filters.isLog) return null;
    const last = this.recent.at(-1);
    if (isNoise(entry)) return last?.shape === "noise" ? last : null;
    if (isInterrupt(entry)) return last && isInterrupt(last.entry) && near(last.entry, entry) && last.entry.event_type !== entry.event_type ? last : null;
    const fact = factOf(entry);
    return fact ? this.recent.findLast((line) => line.echo === null && factOf(line.entry) === fact && near(line.entry, entry)) : null;
  }

  keyOf(entry) {
    if (this.filters.isRaw || entry.echo === null) return null;
    if (this.filters.isLog) return isChunk(entry) ? `chunks ${entry.echo}` : null;
    return `echo ${entry.echo}`;
  }

  make(entry) {
    return {
      shape: this.shapeOf(entry),
      key: this.keyOf(entry),
      entry,
      first: entry.n,
      last: entry.n,
      count: 1,
      echo: entry.echo,
      sound: isChunk(entry) ? entry.id : null,
      isError: entry.is_error,
    };
  }

  shapeOf(entry) {
    if (this.filters.isLog) return "row";
    if (entry.echo !== null) return "said";
    if (isNoise(entry)) return "noise";
    return entry.event_type === "conversation.utterance" && spokenIn(entry) ? "heard" : "event";
  }
}

function isInterrupt(entry) {
  return entry.event_type === "echo.interrupt" || entry.event_type === "conversation.interrupt";
}

function near(one, other) {
  return Math.abs(Date.parse(one.at) - Date.parse(other.at)) <= SAME_FACT;
}
