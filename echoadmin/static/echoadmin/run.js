// A run's page: looks how far it is, until it has ended. What its kind shows beside that is the server's own markup.

import { localise } from "./times.js";

const LOOK = 700; // ms
const run = document.getElementById("run");
const own = document.getElementById("run-own");
const page = new URLSearchParams(location.search).get("page") ?? "";
const part = (name) => run.querySelector(`[data-run="${name}"]`);

function show(now) {
  part("state").textContent = now.state;
  part("state").dataset.state = now.state;
  part("words").textContent = now.words;
  const bar = part("progress");
  if (now.percent !== null) bar.value = now.percent;
  else if (now.ended) bar.value = 0;
  for (const name of ["verdict", "error"]) {
    part(name).textContent = now[name];
    part(name).hidden = !now[name];
  }
  part("file").hidden = !now.file;
  if (now.file) part("file").href = now.file;
  part("file_words").textContent = now.file_words;
  if (part("stop")) part("stop").hidden = now.ended;
  if (part("pause")) part("pause").hidden = !now.pausable;
  if (part("skip")) part("skip").hidden = !now.skips;
  if (part("resume")) part("resume").hidden = !now.resumable;
}

/** Only what is another than before is drawn again, so that nothing jumps and the focus stays where it is. */
function showOwn({ own: html, mark }) {
  if (html === undefined) return;
  own.dataset.mark = mark;
  const drawn = document.createElement("template");
  drawn.innerHTML = html;
  localise(drawn.content);
  for (const fresh of drawn.content.querySelectorAll("[data-line]")) {
    const shown = own.querySelector(`[data-line="${fresh.dataset.line}"]`);
    if (!shown) {
      own.replaceChildren(drawn.content);
      return;
    }
    if (!shown.isEqualNode(fresh)) shown.replaceWith(fresh.cloneNode(true));
  }
}

/** A run may have ended while what it began still goes on. */
const isUnderWay = () => own.querySelector('[data-under-way="yes"]') !== null;

async function look() {
  const query = new URLSearchParams({ page, mark: own.dataset.mark });
  const answer = await fetch(`${run.dataset.stateAddress}?${query}`, { headers: { Accept: "application/json" } }).catch(() => null);
  if (answer?.ok && !answer.redirected) {
    const now = await answer.json();
    show(now);
    showOwn(now);
    if (now.ended && run.dataset.ended === "no") return location.reload(); // what came of it is on the page now
    if (now.ended && !isUnderWay()) return;
  }
  setTimeout(look, LOOK);
}

if (run.dataset.ended === "no" || isUnderWay()) setTimeout(look, LOOK);
