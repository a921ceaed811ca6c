// An entry in one line, and its message as pretty JSON without samples.

const SAMPLES = 400; // characters; nothing but base64 is that long without a space

/** { words, isNoise } of an entry. */
export function summary(entry) {
  const message = entry.message ?? {};
  const properties = (typeof message === "object" && message.properties) || {};
  const name = entry.event_type.replace(/^(conversation|system)\./, "");
  const isNoise = /_present$|heartbeat$|utterance\.streaming$/.test(entry.event_type);
  if (entry.kind === "upstream") return { words: call(entry, message), isNoise };
  if (properties.text) return { words: `${name}: “${cut(properties.text)}”`, isNoise };
  if (properties.speech) return { words: `${name}: “${cut(properties.speech)}”`, isNoise };
  if (properties.modality === "audio") return { words: `${name}: audio`, isNoise };
  if (/stopped_speaking$/.test(name) && properties.duration) {
    return { words: `${name} after ${properties.duration.toFixed(1)} s${properties.interrupted ? ", interrupted" : ""}`, isNoise };
  }
  return { words: name, isNoise };
}

function call(entry, message) {
  const took = message.seconds === undefined ? "" : ` · ${Math.round(message.seconds * 1000)} ms`;
  return `${message.method ?? ""} ${message.path ?? entry.event_type} → ${message.status ?? message.error ?? "no answer"}${took}`.trim();
}

function cut(words) {
  return words.length > 160 ? `${words.slice(0, 160)}…` : words;
}

/** The JSON for people; long base64 is told, never printed. */
export function pretty(value) {
  return JSON.stringify(
    value,
    (_, item) =>
      typeof item === "string" && item.length > SAMPLES && !/\s/.test(item.slice(0, SAMPLES))
        ? `<${item.length.toLocaleString()} characters of base64>`
        : item,
    2,
  );
}
