// An entry of the log in words.

const LONGEST = 160; // characters of what was said in one line of the log
const SINGLE_WORDS = /_present$|heartbeat$|utterance\.streaming$/;
const SAID_BY_ROOM = {
  joined: "The console is in the room",
  left: "The console left the room",
  lost: "The room was lost",
  gap: "Messages are missing here",
  not_sent: "Not sent",
  uncertain: "Nobody knows whether these left",
  dropped: "Dropped",
};
const SAID_BY_OPERATOR = {
  "room.join": "Join asked for",
  "room.leave": "Leave asked for",
  "room.watched": "Room watched",
  "conversation.requested": "Conversation asked for",
  "conversation.created": "Conversation made",
  "conversation.ended": "Conversation ended",
  "floor.taken": "Floor taken",
  "floor.handed": "Floor handed on",
  "floor.released": "Floor given back",
  "echo.edited": "Line edited",
  "echo.moved": "Line moved",
  "echo.approved": "Line approved",
  "echo.rejected": "Line rejected",
  "echo.cancel": "Line cancelled",
};
const SAID_BY_SYSTEM = { joined: "The replica came", shutdown: "Tavus ended it" };
const FACTS = [
  [/^system\.(replica|pal|face)_joined$/, "joined"],
  [/^system\.shutdown$/, "shutdown"],
  [/^conversation\.(.+\.)?started_speaking$/, "started"],
  [/^conversation\.(.+\.)?stopped_speaking$/, "stopped"],
];
const UNSAID = new Set(["source", "id", "inference_id", "session_id", "conversation_id", "from", "to", "ranges", "count", "cancelled"]);

/** Whether nobody wants to see it but who looks for it: heartbeats, and words that come one by one. */
export function isNoise(entry) {
  return entry.kind === "app_message" && SINGLE_WORDS.test(entry.event_type);
}

/** Whether it is one of the console's own looks at how it stands, that nobody asked for. */
export function isLook(entry) {
  return entry.kind === "upstream" && entry.actor === "system" && entry.event_type.startsWith("GET ") && !entry.is_error;
}

/** Whether it is a message of an echo of audio that goes into the room. */
export function isChunk(entry) {
  return entry.direction === "out" && entry.echo !== null && said(entry).modality === "audio";
}

/** What both vocabularies, and a webhook too, tell of one thing: joined, shutdown, started, stopped; else null. */
export function factOf(entry) {
  return FACTS.find(([pattern]) => pattern.test(entry.event_type))?.[1] ?? null;
}

/** The words of a message that somebody said; "" when it says none. */
export function spokenIn(entry) {
  return said(entry).text || said(entry).speech || "";
}

/** How a row of the log names where the entry came from. */
export function markOf(entry) {
  if (entry.kind === "app_message") return entry.direction;
  return { upstream: "http", operator: "op", webhook: "hook" }[entry.kind] ?? entry.kind;
}

/** The entry in one line of the log. */
export function inLog(entry) {
  const name = entry.event_type.replace(/^(conversation|system)\./, "");
  if (entry.kind === "upstream") return call(entry);
  const words = spokenIn(entry);
  if (words) return `${name}: “${cut(words)}”`;
  const { modality, duration, interrupted } = said(entry);
  if (modality === "audio") return `${name}: audio`;
  if (duration && name.endsWith("stopped_speaking")) return `${name} after ${duration.toFixed(1)} s${interrupted ? ", interrupted" : ""}`;
  const more = facts(entry);
  return more ? `${name} · ${more}` : name;
}

/** The entry as an event of the conversation. */
export function asEvent(entry) {
  const { cancelled } = entry.message ?? {};
  const by = entry.actor ? ` by ${entry.actor}` : "";
  const fact = factOf(entry);
  if (entry.kind === "upstream") return call(entry);
  if (entry.kind === "room") return [SAID_BY_ROOM[entry.event_type] ?? entry.event_type, missing(entry), facts(entry)].filter(Boolean).join(" · ");
  if (entry.event_type === "echo.interrupt") return `Interrupted${by}${cancelled?.length ? ` (${cancelled.length} queued cancelled)` : ""}`;
  if (entry.event_type === "conversation.interrupt") return `Interrupted${by}`;
  if (entry.kind === "operator") return [(SAID_BY_OPERATOR[entry.event_type] ?? entry.event_type) + by, facts(entry)].filter(Boolean).join(" · ");
  if (fact === "started") return `${speaker(entry)} began to speak`;
  if (fact === "stopped") return `${speaker(entry)} stopped speaking${said(entry).interrupted ? ", interrupted" : ""}`;
  if (fact) return [SAID_BY_SYSTEM[fact], facts(entry)].filter(Boolean).join(" · ");
  return inLog(entry) + by;
}

/** Who spoke, of an utterance that is no echo of ours. */
export function speaker(entry) {
  const role = said(entry).role || entry.message?.role || /^conversation\.(user|replica|pal|face)\./.exec(entry.event_type)?.[1] || "user";
  return role === "user" ? "Guest" : "Replica";
}

function said(entry) {
  const properties = entry.message?.properties;
  return properties && typeof properties === "object" ? properties : {};
}

function call(entry) {
  const message = entry.message ?? {};
  const took = message.seconds == null ? "" : ` · ${Math.round(message.seconds * 1000)} ms`;
  return `${message.method ?? ""} ${message.path ?? entry.event_type} → ${message.status ?? message.error ?? "no answer"}${took}`.trim();
}

function missing(entry) {
  const { count, ranges } = entry.message ?? {};
  if (!count) return "";
  const where = Array.isArray(ranges) ? ` (${ranges.map((range) => [].concat(range)).map(([from, to]) => (to > from ? `${from}–${to}` : from)).join(", ")})` : "";
  return `${count.toLocaleString()} ${count === 1 ? "message" : "messages"}${where}`;
}

/** The first plain values of what it tells. */
function facts(entry) {
  const message = entry.message ?? {};
  const inside = { ...message, ...said(entry) };
  if (entry.kind === "app_message" || entry.kind === "webhook") for (const name of ["event_type", "message_type", "properties", "seq", "turn_idx", "timestamp", "role", "attempt", "done"]) delete inside[name];
  const told = Object.entries(inside).filter(([name, value]) => !UNSAID.has(name) && !/_id$|url$/.test(name) && ["string", "number"].includes(typeof value) && value !== "");
  return cut(told.slice(0, 3).map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`).join(", "));
}

function cut(words) {
  return words.length > LONGEST ? `${words.slice(0, LONGEST)}…` : words;
}
