// What every page of the console has: local times, pictures, and forms that are sent once.

import { localise } from "./times.js";
import { showPictures } from "./pictures.js";

// unfold names no landmark: on a signed-in page all but the menu is the main part; signing in has one, below the banner.
document.getElementById("main")?.setAttribute("role", "main");
localise(document);
showPictures(document);
// What unfold makes to scroll in has one name, all of it; a screen reader tells them apart by these.
window.addEventListener("load", () => {
  for (const one of document.querySelectorAll(".simplebar-content-wrapper")) {
    one.ariaLabel = one.closest("#nav-sidebar-apps") ? "Menu" : one.closest("#changelist-form") ? "Table" : "Filters";
  }
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
