// A row of the log opens in place: its body is fetched when it is asked for.

document.getElementById("entries").addEventListener(
  "toggle",
  async ({ target }) => {
    if (!target.open || target.querySelector("pre")) return;
    const body = document.createElement("pre");
    body.className = "ea-json";
    body.tabIndex = 0;
    body.textContent = "…";
    target.append(body);
    try {
      const answer = await fetch(target.dataset.body);
      body.textContent = answer.ok && !answer.redirected ? await answer.text() : `The console answered ${answer.status}. Reload the page.`;
    } catch {
      body.textContent = "The console did not answer. Close the row and open it again.";
      target.addEventListener("toggle", () => body.remove(), { once: true });
    }
  },
  true,
);
