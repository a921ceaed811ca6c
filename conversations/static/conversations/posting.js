// The conversation's buttons, pressed by a script.

const LONGEST = 20000; // ms for an answer: then one is told, and what was typed stays

/** POSTs to one of the conversation's buttons. Gives its JSON, or { error: "what went wrong and the way out" }. */
export async function post(root, path, body = new FormData()) {
  const token = root.querySelector("input[name=csrfmiddlewaretoken]").value;
  try {
    const answer = await fetch(root.dataset.base + path, {
      method: "POST",
      body,
      headers: { Accept: "application/json", "X-CSRFToken": token },
      signal: AbortSignal.timeout(LONGEST),
    });
    if (answer.redirected) return { error: "You are signed out. Reload the page to sign in again." };
    const said = await answer.json();
    if (answer.ok) return said;
    return { error: [said.error?.message, said.error?.way_out].filter(Boolean).join(" ") || `The console answered ${answer.status}.` };
  } catch {
    return { error: "The console did not answer. Check that it runs, then look at the echoes before you send it again." };
  }
}

/** An id for something new to be said: sent twice with it, it is said once. */
export function freshId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
