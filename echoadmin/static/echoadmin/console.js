// What every page of the console has: local times, pictures, and forms that are sent once.

import { localise } from "./times.js";
import { showPictures } from "./pictures.js";

// unfold names no landmark: on a signed-in page all but the menu is the main part; signing in has one, below the banner.
document.getElementById("main")?.setAttribute("role", "main");
localise(document);
showPictures(document);
// Those that unfold makes to scroll in have one name, all of them.
window.addEventListener("load", () => {
  document.querySelectorAll(".simplebar-content-wrapper").forEach((one, at) => one.setAttribute("aria-label", `Part ${at + 1} that scrolls`));
});

// The server obeys a form once in any case; this says so at once. A page that is shown again from the history works again.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-once]") || event.defaultPrevented) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  form.setAttribute("aria-busy", "true");
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    form.removeAttribute("aria-busy");
  }
});
