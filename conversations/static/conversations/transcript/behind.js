// A line opens in place: the steps of its echo, and the app messages, calls and webhooks behind it.

import { localise, exact, lasting } from "../../echoadmin/times.js";
import { fill, openInPlace } from "../../log/opening.js";
import { hasEnded } from "../echo_states.js";
import { post } from "../posting.js";

const STEPS = ["queued", "sending", "sent", "speaking", "spoken"];

/** Fills `holder` with what is behind `line`. page: the conversation's element; echo: as the API has it, or null. */
export async function openBehind(page, bus, holder, line, echo) {
  holder.replaceChildren();
  if (echo) holder.append(actions(page, bus, echo), facts(echo));
  const rows = document.createElement("div");
  rows.textContent = "…";
  holder.append(rows);
  const answer = await fetch(`${page.dataset.base}behind/${line.first}/`).catch(() => null);
  if (answer?.redirected) return void (rows.textContent = "You are signed out. Reload the page to sign in again.");
  if (!answer?.ok) return void (rows.textContent = answer?.status === 404 ? "It is not here any more: it was pruned by age." : "The console did not answer. Close the line and open it again.");
  rows.innerHTML = await answer.text(); // the console's own markup: what came from outside is escaped there
  localise(rows);
  openInPlace(rows.firstElementChild);
}

/** Fills `holder` with one entry, opened as in the log. */
export function openEntry(page, holder, entry) {
  holder.replaceChildren();
  delete holder.dataset.filled;
  holder.dataset.opened = page.dataset.entry.replace("/0/change/", `/${entry.id}/opened/`);
  fill(holder);
}

function actions(page, bus, echo) {
  const made = document.createElement("p");
  made.className = "ea-actions";
  if (echo.text) made.append(button("Copy the words", (pressed) => copy(pressed, echo.text)));
  if (page.dataset.maySpeak === "yes" && hasEnded(echo)) made.append(button("Say again", (pressed) => again(page, bus, pressed, echo)));
  const link = document.createElement("a");
  link.className = "ea-link";
  link.href = page.dataset.echo.replace("/0/", `/${echo.id}/`);
  link.textContent = `Echo ${echo.id}`;
  made.append(link);
  return made;
}

function button(words, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "ea-button ea-small-button";
  made.textContent = words;
  made.addEventListener("click", () => act(made));
  return made;
}

async function copy(pressed, words) {
  const done = await navigator.clipboard?.writeText(words).then(() => true, () => false);
  pressed.textContent = done ? "Copied" : "Could not copy";
}

async function again(page, bus, pressed, echo) {
  pressed.disabled = true;
  const done = await post(page, `echoes/${encodeURIComponent(echo.inference_id)}/again/`);
  pressed.disabled = false;
  if (done.error) bus.tell("refused", done.error);
  else bus.tell("echo", done);
}

/** When it took each step, and how long after the one before. */
function facts(echo) {
  const made = document.createElement("dl");
  made.className = "ea-steps-taken";
  let before = null;
  const taken = STEPS.map((step) => [step, echo.times?.[step]]).filter(([, at]) => at);
  for (const [step, at] of taken.sort(([, one], [, other]) => Date.parse(one) - Date.parse(other))) {
    const after = before === null ? "" : ` · ${lasting((Date.parse(at) - before) / 1000)} later`;
    made.append(fact(step, `${new Date(at).toLocaleTimeString()}${after}`, exact(new Date(at))));
    before = Date.parse(at);
  }
  if (echo.reason) made.append(fact("why", [echo.reason, echo.detail].filter(Boolean).join(": ")));
  made.append(fact("messages", `${echo.chunks_sent} of ${echo.chunks} sent`), fact("inference id", echo.inference_id));
  return made;
}

function fact(name, value, title = "") {
  const row = document.createElement("div");
  const label = document.createElement("dt");
  label.textContent = name;
  const words = document.createElement("dd");
  words.textContent = value;
  if (title) words.title = title;
  row.append(label, words);
  return row;
}
