// The log's page: rows open in place, what is new arrives at the top, addresses stay short.

import { copyOnClick } from "./copying.js";
import { openInPlace } from "./opening.js";
import { Arrivals } from "./arrivals.js";

const page = document.getElementById("log-page");
openInPlace(document.getElementById("entries"), page.dataset.text);
copyOnClick(page);
if (page.dataset.after) new Arrivals(page).begin();

// What is left empty does not have to stand in the address.
for (const form of page.querySelectorAll("form[data-lean]")) {
  form.addEventListener("submit", () => {
    for (const field of form.elements) if (field.name && field.value.trim() === "") field.disabled = true;
  });
}
window.addEventListener("pageshow", () => {
  for (const field of page.querySelectorAll("form[data-lean] [name]:disabled")) field.disabled = false;
});
