// The replay's form: tells what is changed and how long it takes, and sends only the words that were changed.

import { lasting } from "../echoadmin/times.js";

const CHARACTERS_A_SECOND = 15;
const form = document.getElementById("replay");
const sum = document.getElementById("replay-sum");
const lines = [...form.querySelectorAll(".ea-line")].map(read);

function read(row) {
  const words = row.querySelector("textarea[name]");
  const original = row.querySelector("textarea[data-original]")?.value ?? words.defaultValue;
  const at = row.dataset.at === "" ? null : Number(row.dataset.at);
  return { row, words, original, at, seconds: Number(row.dataset.seconds), pick: row.querySelector("[name=echoes]") };
}

const isChanged = (line) => line.words.value !== line.original;

function show() {
  for (const line of lines) {
    line.row.dataset.changed = isChanged(line) ? "yes" : "no";
    line.row.querySelector("[data-changed-word]").hidden = !isChanged(line);
  }
  const said = lines.filter((line) => line.pick.checked);
  const rest = form.elements.rest?.checked ? Number(form.elements.rest.dataset.count) : 0;
  const changed = said.filter(isChanged).length;
  const words = [`${said.length + rest} echo${said.length + rest === 1 ? "" : "es"}`];
  if (changed) words.push(`${changed} changed`);
  if (said.length && !rest) words.push(`about ${lasting(Math.round(length(said)))}`);
  if (sum.textContent !== words.join(" · ")) sum.textContent = words.join(" · ");
}

/** Seconds until the last line has been said: a line begins at its time, or when the one before has ended. */
function length(said) {
  const speed = Number(form.elements.speed.value);
  const typed = form.elements.longest_pause.value.trim();
  const longest = typed === "" || Number.isNaN(Number(typed)) ? Infinity : Number(typed);
  let due = 0;
  let end = 0;
  said.forEach((line, k) => {
    const before = said[k - 1];
    const pause = before && speed && line.at !== null && before.at !== null ? Math.max(0, line.at - before.at) / speed : 0;
    due += Math.min(pause, longest);
    const seconds = isChanged(line) ? line.words.value.trim().length / CHARACTERS_A_SECOND : line.seconds;
    end = Math.max(end, due) + seconds;
  });
  return end;
}

form.addEventListener("input", show);
form.addEventListener("click", ({ target }) => {
  const tick = target.closest("[data-tick]");
  if (tick) for (const line of lines) line.pick.checked = tick.dataset.tick === "all";
  const undo = target.closest("[data-undo]");
  if (undo) {
    const line = lines.find(({ row }) => row.contains(undo));
    line.words.value = line.original;
    line.words.focus();
  }
  if (tick || undo) show();
});
// Hundreds of long texts are not sent only to say that they are as they were.
form.addEventListener("formdata", ({ formData }) => {
  for (const line of lines) if (!isChanged(line)) formData.delete(line.words.name);
});
window.addEventListener("pageshow", show); // a page that is shown again keeps what was typed

for (const button of form.querySelectorAll("[data-tick], [data-undo]")) button.hidden = false;
show();
