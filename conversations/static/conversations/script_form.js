// A script's form: lines are added, moved and taken away; samples are uploaded as they are chosen; the variables that
// the words hold get a field each.

import { lasting } from "../echoadmin/times.js";

const VARIABLE = /\{\{\s*([\p{L}_][\p{L}\p{N}_]{0,39})\s*\}\}/gu;
const CHARACTERS_A_SECOND = 15;
const form = document.getElementById("script-form");
const rows = document.getElementById("script-rows");
const template = document.getElementById("script-row");
const said = document.getElementById("script-said");
const wrong = document.getElementById("script-error");
const variables = document.getElementById("script-variables");
const file = document.getElementById("script-file");
const part = (row, name) => row.querySelector(`[data-part="${name}"]`);
const field = (row, name) => row.querySelector(`[name="${name}"]`);

function fresh() {
  const row = template.content.firstElementChild.cloneNode(true);
  rows.append(row);
  return row;
}

/** Numbers, and what screen readers call each field and button. */
function number() {
  const all = [...rows.children];
  all.forEach((row, at) => {
    const n = at + 1;
    part(row, "number").textContent = n;
    part(row, "tools").hidden = false;
    field(row, "text").setAttribute("aria-label", `Words of line ${n}`);
    const names = { up: `Line ${n} up`, down: `Line ${n} down`, remove: `Take line ${n} away` };
    for (const [what, words] of Object.entries(names)) row.querySelector(`[data-do="${what}"]`).setAttribute("aria-label", words);
    row.querySelector('[data-do="up"]').disabled = at === 0;
    row.querySelector('[data-do="down"]').disabled = n === all.length;
  });
}

function move(row, what) {
  if (what === "up") row.previousElementSibling?.before(row);
  if (what === "down") row.nextElementSibling?.after(row);
  if (what === "remove") {
    const beside = row.nextElementSibling ?? row.previousElementSibling ?? fresh();
    row.remove();
    number();
    field(beside, "text").focus();
  }
  number();
  measure();
}

rows.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-do]");
  if (!button) return;
  const row = button.closest("li");
  move(row, button.dataset.do);
  if (button.dataset.do !== "remove") (button.disabled ? row.querySelector("[data-do]:not(:disabled)") : button)?.focus();
});

/** Alt and an arrow move the line in which one is. */
rows.addEventListener("keydown", (event) => {
  const what = { ArrowUp: "up", ArrowDown: "down" }[event.key];
  if (!event.altKey || !what) return;
  event.preventDefault();
  const focused = document.activeElement;
  move(event.target.closest("li"), what);
  focused.focus();
});

rows.addEventListener("input", measure);

document.querySelector('[data-add="text"]').addEventListener("click", () => {
  const row = fresh();
  number();
  field(row, "text").focus();
});

file.hasChangeListener = true; // the theme's own listener wants a text field beside it, and breaks without one
file.addEventListener("change", async () => {
  const chosen = file.files[0];
  if (!chosen) return;
  wrong.hidden = true;
  said.textContent = `${chosen.name} is being uploaded …`;
  const body = new FormData();
  body.append("file", chosen);
  file.value = "";
  const clip = await upload(body);
  if (clip.error) {
    wrong.textContent = clip.error;
    wrong.hidden = false;
  } else {
    const row = fresh();
    for (const [name, value] of Object.entries({ clip: clip.clip, clip_name: clip.name, long: clip.long })) field(row, name).value = value;
    part(row, "clip").hidden = false;
    part(row, "clip-name").textContent = clip.name;
    part(row, "clip-long").textContent = clip.long;
    field(row, "text").hidden = true;
    number();
  }
  measure();
});

async function upload(body) {
  const token = form.querySelector("input[name=csrfmiddlewaretoken]").value;
  try {
    const answer = await fetch(form.dataset.clips, { method: "POST", body, headers: { Accept: "application/json", "X-CSRFToken": token } });
    if (answer.redirected) return { error: "You are signed out. Sign in again in another tab; what you typed stays here." };
    const told = await answer.json();
    return answer.ok ? told : { error: [told.error?.message, told.error?.way_out].filter(Boolean).join(" ") };
  } catch {
    return { error: "The file did not arrive. Choose it again." };
  }
}

/** How many lines, how long, and a field for the default of each variable. */
function measure() {
  const texts = [...rows.children].map((row) => (field(row, "clip").value ? "" : field(row, "text").value));
  const lines = [...rows.children].filter((row, at) => field(row, "clip").value || texts[at].trim());
  const seconds = texts.join("").length / CHARACTERS_A_SECOND + lines.reduce((sum, row) => sum + (Number(field(row, "pause").value) || 0), 0);
  said.textContent = lines.length ? `${lines.length} line${lines.length > 1 ? "s" : ""} · words and pauses ≈ ${lasting(Math.round(seconds))}` : "";
  const names = [...new Set(texts.flatMap((text) => [...text.matchAll(VARIABLE)].map((found) => found[1])))];
  for (const label of variables.children) label.hidden = !names.includes(label.querySelector("input").name.replace("default-", ""));
  for (const name of names) if (!variables.querySelector(`[name="${CSS.escape(`default-${name}`)}"]`)) variables.append(variable(name));
}

function variable(name) {
  const label = document.createElement("label");
  label.append(`${name}, if nothing is given `);
  const input = document.createElement("input");
  Object.assign(input, { name: `default-${name}`, autocomplete: "off" });
  label.append(input);
  return label;
}

document.getElementById("script-adding").hidden = false;
number();
measure();
