// Buttons that copy what an address gives: data-copy="/the/address/".

const TOLD = 1500; // ms for which a button says that it is done

/** Watches the buttons with data-copy under `root`, also those that come later. */
export function copyOnClick(root) {
  root.addEventListener("click", async ({ target }) => {
    const button = target.closest("button[data-copy]");
    if (!button || button.dataset.told) return;
    const words = button.textContent;
    button.dataset.told = words;
    button.textContent = (await copy(button.dataset.copy)) ? "Copied" : "Could not copy";
    setTimeout(() => {
      button.textContent = words;
      delete button.dataset.told;
    }, TOLD);
  });
}

async function copy(address) {
  try {
    const answer = await fetch(address);
    if (!answer.ok || answer.redirected) return false;
    const text = await answer.text();
    if (navigator.clipboard) await navigator.clipboard.writeText(text);
    else copyByHand(text);
    return true;
  } catch {
    return false;
  }
}

/** Without TLS, on another host than this one, a page has no clipboard of its own. */
function copyByHand(text) {
  const holder = document.createElement("textarea");
  holder.value = text;
  document.body.append(holder);
  holder.select();
  document.execCommand("copy");
  holder.remove();
}
