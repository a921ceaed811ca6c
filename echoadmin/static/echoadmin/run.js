// A run's page: looks how far it is, until it has ended.

const LOOK = 700; // ms
const run = document.getElementById("run");
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
  if (part("resume")) part("resume").hidden = !now.resumable;
}

async function look() {
  const answer = await fetch(run.dataset.stateAddress, { headers: { Accept: "application/json" } }).catch(() => null);
  if (answer?.ok && !answer.redirected) {
    const now = await answer.json();
    show(now);
    if (now.ended) return location.reload(); // what came of it is on the page now
  }
  setTimeout(look, LOOK);
}

if (run.dataset.ended === "no") setTimeout(look, LOOK);
