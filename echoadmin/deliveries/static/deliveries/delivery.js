// A delivery's page: looks whether there was another attempt, and shows it.

const LOOK = 1000; // ms
const here = document.getElementById("delivery");

async function look() {
  const answer = await fetch(here.dataset.stateAddress, { headers: { Accept: "application/json" } }).catch(() => null);
  if (answer?.ok && !answer.redirected) {
    const now = await answer.json();
    if (now.state !== here.dataset.now || now.tried !== Number(here.dataset.tried)) return location.reload();
  }
  setTimeout(look, document.hidden ? 10 * LOOK : LOOK);
}

setTimeout(look, LOOK);
