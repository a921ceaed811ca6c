// A row of the log opens in place: what is in it is fetched when it is asked for.

import { localise } from "../echoadmin/times.js";

/** Watches the rows of `list`. text: what was searched for, to be marked in messages too. */
export function openInPlace(list, text = "") {
  list.addEventListener("toggle", ({ target }) => target.open && fill(target, text), true);
  // Somebody was quicker than this script.
  for (const row of list.querySelectorAll("details[open]")) fill(row, text);
}

/** Puts what `row.dataset.opened` answers into `row`, once. */
export async function fill(row, text = "") {
  if (row.dataset.filled) return;
  row.dataset.filled = "yes";
  const holder = document.createElement("div");
  holder.textContent = "…";
  row.append(holder);
  try {
    const answer = await fetch(row.dataset.opened + (text ? `?text=${encodeURIComponent(text)}` : ""));
    if (answer.redirected) holder.textContent = "You are signed out. Reload the page to sign in again.";
    else if (answer.status === 404) holder.textContent = "This entry is not here any more: it was pruned by age meanwhile.";
    else if (!answer.ok) throw new Error(String(answer.status));
    else holder.innerHTML = await answer.text(); // the console's own markup: what came from outside is escaped there
    localise(holder);
  } catch {
    holder.textContent = "The console did not answer. Close the row and open it again.";
    row.addEventListener("toggle", () => {
      holder.remove();
      delete row.dataset.filled;
    }, { once: true });
  }
}
