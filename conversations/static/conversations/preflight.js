// Before a conversation is made: what would fail, asked for whenever what it depends on changes.

import { drawn, kindOf } from "./checks.js";

const REST = 350; // ms after the last change
const panel = document.getElementById("preflight");
const form = panel?.closest("form");
const told = panel?.querySelector("[data-preflight-told]");
const list = panel?.querySelector("ul");
let timer = 0;
let asked = 0;

async function look() {
  const mine = ++asked;
  const given = new FormData(form);
  const query = new URLSearchParams();
  for (const name of ["persona", "replica", "minutes", "left_timeout"]) if (given.get(name)) query.set(name, given.get(name));
  panel.setAttribute("aria-busy", "true");
  const answer = await fetch(`${panel.dataset.address}?${query}`, { headers: { Accept: "application/json" } }).catch(() => null);
  if (mine !== asked) return;
  panel.removeAttribute("aria-busy");
  if (!answer?.ok || answer.redirected) {
    told.textContent = "It could not be looked at now. The button works all the same.";
    return;
  }
  const { checks, blocks } = await answer.json();
  list.replaceChildren(...checks.map(drawn));
  const odd = checks.filter((check) => kindOf(check) === "odd").length;
  told.textContent = blocks ? "As it is, it would fail:" : odd ? "It can start; this is to be known:" : "Everything is ready.";
  told.dataset.kind = blocks ? "wrong" : odd ? "odd" : "good";
}

if (panel && form) {
  form.addEventListener("change", () => {
    clearTimeout(timer);
    timer = setTimeout(look, REST);
  });
  look();
}
