// A line of the transcript as a row: made once, and filled again when its echo goes on.

import { lasting, timeElement } from "../../echoadmin/times.js";
import { hasEnded } from "../echo_states.js";
import { openBehind, openEntry } from "./behind.js";
import { player } from "./player.js";
import { asEvent, inLog, markOf, speaker, spokenIn } from "./words.js";

const FRAME = document.createElement("template");
FRAME.innerHTML = `<li class="ea-turn"><div class="ea-turn-head"><span class="ea-turn-mark ea-log-kind"></span><span class="ea-turn-who"></span>
  <span class="ea-turn-words"></span><span class="ea-turn-length ea-number"></span><span class="ea-state" hidden></span>
  <button type="button" class="ea-turn-open" aria-expanded="false" tabindex="-1"><span class="ea-hidden">What is behind it</span></button></div></li>`;

/** A row for `line`. echo: as the API has it, or undefined. */
export function makeRow(page, line, echo) {
  const row = FRAME.content.firstElementChild.cloneNode(true);
  row.line = line;
  row.dataset.shape = line.shape;
  row.firstElementChild.prepend(timeElement(line.entry.at));
  fillRow(page, row, echo);
  return row;
}

/** Writes what is known now of the row's line. */
export function fillRow(page, row, echo) {
  const { line } = row;
  row.dataset.n = line.first;
  row.toggleAttribute("data-error", line.isError);
  row.toggleAttribute("data-gap", line.entry.kind === "room" && line.isError);
  const write = (name, words) => {
    const field = row.firstElementChild.querySelector(`.ea-turn-${name}`);
    if (field.textContent !== words) field.textContent = words;
  };
  write("mark", line.shape === "row" ? markOf(line.entry) : "");
  write("who", whoOf(line, echo));
  write("words", wordsOf(line, echo));
  write("length", lengthOf(line, echo));
  showState(row.firstElementChild.querySelector(".ea-state"), line, echo);
  showSound(page, row, line, echo);
}

function whoOf(line, echo) {
  if (line.shape === "said") return `${echo?.actor ?? line.entry.actor ?? "Replica"} · ${modality(line, echo)}`;
  if (line.shape === "heard") return speaker(line.entry);
  return line.shape === "row" ? (line.entry.actor ?? line.entry.sender_name ?? "") : "";
}

function modality(line, echo) {
  return echo?.modality ?? (line.sound ? "audio" : "text");
}

function wordsOf(line, echo) {
  if (line.shape === "said") return echo?.text || spokenIn(line.entry) || (modality(line, echo) === "audio" ? "" : asEvent(line.entry));
  if (line.shape === "heard") return spokenIn(line.entry);
  if (line.shape === "noise") return line.count === 1 ? inLog(line.entry) : `${line.count.toLocaleString()} heartbeats and single words`;
  if (line.shape === "event") return asEvent(line.entry);
  return line.count === 1 ? inLog(line.entry) : `${inLog(line.entry)} · ${line.count.toLocaleString()} messages`;
}

/** How long it was spoken; before that, how long it will be. */
function lengthOf(line, echo) {
  if (line.shape !== "said" || !echo) return "";
  const { speaking, spoken } = echo.times ?? {};
  if (speaking && spoken) return lasting((Date.parse(spoken) - Date.parse(speaking)) / 1000);
  return echo.seconds ? `${echo.modality === "audio" ? "" : "≈ "}${lasting(echo.seconds)}` : "";
}

function showState(chip, line, echo) {
  chip.hidden = line.shape !== "said" || !echo;
  if (chip.hidden || chip.dataset.state === echo.state) return;
  chip.dataset.state = echo.state;
  chip.textContent = echo.state;
  chip.title = [echo.reason, echo.detail].filter(Boolean).join(": ");
}

/** The sound of an echo that got all of its audio: what still grows has no waveform yet. */
function showSound(page, row, line, echo) {
  if (!line.sound || row.querySelector(".ea-player")) return;
  if (!echo || !(echo.closed_at || hasEnded(echo))) return;
  const address = page.dataset.entry.replace("/0/change/", `/${line.sound}/audio/`);
  row.firstElementChild.after(player(address, `${echo.actor}, ${lasting(echo.seconds ?? 0)}`));
  const isCurrent = row.querySelector(".ea-turn-open").tabIndex === 0;
  for (const one of row.querySelectorAll(".ea-player :is(button, input, a)")) one.tabIndex = isCurrent ? 0 : -1;
}

/** Opens or closes what is behind the row. */
export function toggleRow(page, bus, row, echo) {
  const button = row.querySelector(".ea-turn-open");
  const isOpen = button.getAttribute("aria-expanded") === "true";
  button.setAttribute("aria-expanded", String(!isOpen));
  row.querySelector(".ea-turn-behind")?.remove();
  if (isOpen) return;
  const holder = document.createElement("div");
  holder.className = "ea-turn-behind";
  row.append(holder);
  if (row.line.shape === "row" && row.line.count === 1) openEntry(page, holder, row.line.entry);
  else openBehind(page, bus, holder, row.line, echo);
}
