// Before the first line: whether it would be heard. Shown until something was said, and whenever nothing could be.

import { drawn, kindOf } from "./checks.js";

const REST = 300; // ms after the last change

export function start(bus, root) {
  const ready = new Ready(root.querySelector("#ready"), root.dataset.base);
  bus.on("room", () => ready.later());
  bus.on("echo", (echo) => ready.know(echo));
}

class Ready {
  constructor(part, base) {
    this.part = part;
    this.address = `${base}ready/`;
    this.wasSaid = false;
  }

  know({ state }) {
    if (this.wasSaid || state !== "spoken") return;
    this.wasSaid = true;
    this.later();
  }

  later() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.look(), REST);
  }

  async look() {
    const answer = await fetch(this.address, { headers: { Accept: "application/json" } }).catch(() => null);
    if (!answer?.ok || answer.redirected) return; // the page tells elsewhere that the console is out of reach
    const { checks } = await answer.json();
    const known = checks.filter((check) => kindOf(check) !== "good");
    this.part.querySelector("ul").replaceChildren(...checks.map(drawn));
    this.part.querySelector("[data-told]").textContent = told(checks, known);
    this.part.querySelector("details").open = known.length > 0;
    this.part.hidden = this.wasSaid && !known.some((check) => kindOf(check) === "wrong"); // what is only to be known, was
  }
}

function told(checks, known) {
  if (known.some((check) => kindOf(check) === "wrong")) return "Not ready: it would not be heard";
  return known.length ? "Ready, with something to know" : `Ready: all ${checks.length} checks are green`;
}
