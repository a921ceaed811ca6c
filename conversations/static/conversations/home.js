// The home page keeps itself up to date: one look every few seconds while somebody can see it. Only what is another than
// before is drawn again, in place, so that nothing jumps and the focus stays where it is.

import { localise } from "../echoadmin/times.js";

const LOOK = 3000; // ms
const home = document.getElementById("home");
const away = home.querySelector("[data-home-away]");
let timer = 0;
let missed = 0;
let needed = null;

const keyOf = (node) => node.dataset?.line ?? null;

/** Makes `old` what `fresh` is, by the smallest change; rows with a data-line are known again wherever they are. */
function patch(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeName !== fresh.nodeName || keyOf(old) !== keyOf(fresh)) {
    old.replaceWith(fresh.cloneNode(true));
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  patchChildren(old, fresh);
}

function patchChildren(old, fresh) {
  const known = new Map([...old.children].filter(keyOf).map((child) => [keyOf(child), child]));
  let at = old.firstChild;
  for (const wanted of fresh.childNodes) {
    const same = known.get(keyOf(wanted));
    if (same && same !== at) old.insertBefore(same, at);
    const now = same ?? at;
    const next = same && same !== at ? at : at?.nextSibling ?? null;
    if (!now || (!same && keyOf(wanted))) {
      old.insertBefore(wanted.cloneNode(true), at);
      continue;
    }
    patch(now, wanted);
    at = next;
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function show(now) {
  for (const [name, html] of Object.entries(now.parts)) {
    const part = home.querySelector(`[data-home="${name}"]`);
    if (!part) continue;
    const drawn = document.createElement("div");
    drawn.dataset.home = name;
    drawn.innerHTML = html;
    localise(drawn);
    patch(part, drawn);
  }
  home.querySelector("[data-home-count]").textContent = now.needs ? `(${now.needs})` : "";
  if (needed !== null && now.needs > needed) home.querySelector("[data-home-told]").textContent = `${now.needs} need you now`;
  needed = now.needs;
  const stop = home.querySelector("[data-home-stop]");
  if (stop && !stop.querySelector(":popover-open")) stop.hidden = !now.live;
}

function tell(words) {
  away.textContent = words;
  away.hidden = !words;
}

async function look() {
  const answer = await fetch(home.dataset.stateAddress, { headers: { Accept: "application/json" } }).catch(() => null);
  if (answer?.ok && !answer.redirected) {
    missed = 0;
    show(await answer.json());
    tell("");
  } else if (answer?.redirected || answer?.status === 401 || answer?.status === 403) {
    tell("You are signed out, or may not see this any more. Load the page again to sign in.");
  } else if (++missed > 1) {
    tell("The console does not answer: what stands here is not up to date. It is being asked again.");
  }
  plan();
}

function plan() {
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(look, LOOK);
}

document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : look()));
plan();
