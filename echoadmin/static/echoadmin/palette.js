// Ctrl/Cmd-K on every page: any id that is pasted finds its page, any name an action. "?" lists the keys.

const LOOK_AFTER = 120; // ms without a key
const palette = document.getElementById("palette");
const keys = document.getElementById("keys");
const text = document.getElementById("palette-text");
const list = document.getElementById("palette-hits");
const told = document.getElementById("palette-told");

let hits = [];
let shownFor = null; // what the hits belong to
let at = 0;
let before = null; // what had the focus
let timer = 0;
let asked = 0;
let goWhenThere = null; // Enter came before the answer to what is typed

function open() {
  before = document.activeElement;
  text.value = "";
  palette.showPopover();
  text.focus();
  look();
}

function close() {
  palette.hidePopover();
}

async function look() {
  const q = text.value.trim();
  const mine = ++asked;
  const address = `${palette.dataset.address}?${new URLSearchParams({ q })}`;
  const answer = await fetch(address, { headers: { Accept: "application/json" }, cache: "no-store" }).catch(() => null);
  if (mine !== asked) return;
  if (!answer?.ok || answer.redirected) {
    draw([], q);
    told.textContent = answer ? "You are signed out, or may not look anything up. Load the page again." : "The console does not answer. Try again in a moment.";
    return;
  }
  draw((await answer.json()).hits, q);
  told.textContent = hits.length ? `${hits.length} found` : `Nothing is called “${q}”, and nothing has it as its id.`;
  told.classList.toggle("ea-hidden", hits.length > 0);
  const go = goWhenThere;
  goWhenThere = null;
  if (go) choose(go.elsewhere);
}

function draw(found, q) {
  const own = matches("Keyboard map ? keys help", q) ? [{ kind: "help", words: "Keyboard map", detail: "?", open: keys }] : [];
  hits = [...found, ...own];
  shownFor = q;
  list.replaceChildren(...hits.map(drawn));
  mark(0);
}

const matches = (words, q) => q.toLowerCase().split(/\s+/).every((part) => words.toLowerCase().split(" ").some((word) => word.startsWith(part)));

function drawn(hit, n) {
  const row = document.createElement("li");
  row.id = `palette-hit-${n}`;
  row.role = "option";
  for (const [name, words] of [["words", hit.words], ["detail", hit.detail], ["kind", hit.kind]]) {
    const part = document.createElement("span");
    part.className = `ea-palette-${name}`;
    part.textContent = words;
    row.append(part, " ");
  }
  row.addEventListener("mousemove", () => mark(n));
  row.addEventListener("click", (event) => {
    mark(n);
    choose(event.ctrlKey || event.metaKey);
  });
  return row;
}

function mark(n) {
  at = hits.length ? (n + hits.length) % hits.length : 0;
  [...list.children].forEach((row, m) => row.setAttribute("aria-selected", String(m === at)));
  const row = list.children[at];
  if (row) text.setAttribute("aria-activedescendant", row.id);
  else text.removeAttribute("aria-activedescendant");
  row?.scrollIntoView({ block: "nearest" });
}

function choose(elsewhere) {
  if (shownFor !== text.value.trim()) {
    goWhenThere = { elsewhere }; // what stands there is for other words: the answer to these is on its way
    return;
  }
  const hit = hits[at];
  if (!hit) return;
  if (hit.post) return press(hit);
  close();
  if (hit.open) hit.open.showPopover();
  else if (elsewhere) window.open(hit.address, "_blank", "noopener");
  else location.assign(hit.address);
}

/** What makes something is a form, sent once: its token comes with the hit. */
function press(hit) {
  const form = document.getElementById("palette-press");
  if (form.dataset.sent) return;
  form.dataset.sent = "yes";
  form.action = hit.address;
  for (const [name, value] of Object.entries(hit.post)) {
    const field = Object.assign(document.createElement("input"), { type: "hidden", name, value });
    form.append(field);
  }
  told.classList.remove("ea-hidden");
  told.textContent = `${hit.words} …`;
  form.submit();
}

function onKey(event) {
  const jump = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: Math.min(at + 8, hits.length - 1), PageUp: Math.max(at - 8, 0) }[event.key];
  if (jump !== undefined) mark(jump);
  else if (event.key === "Enter" && !event.isComposing) choose(event.ctrlKey || event.metaKey);
  else if (event.key === "Escape") close();
  else if (event.key !== "Tab") {
    event.stopPropagation(); // no shortcut of the page's is meant while one types here
    return;
  }
  event.preventDefault();
  event.stopPropagation();
}

/** An address that ends in the name of something that opens, opens it: "Stop everything…" leads to its question. */
function openNamed() {
  const named = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (named && named.popover && !named.matches(":popover-open")) named.showPopover();
}

const types = (one) => one.matches("input:not([type=checkbox], [type=radio], [type=button], [type=submit]), textarea, select") || one.isContentEditable;

function onPageKey(event) {
  const combo = (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
  if (combo && event.key.toLowerCase() === "k") {
    event.preventDefault();
    event.stopImmediatePropagation();
    if (palette.matches(":popover-open")) close();
    else open();
  } else if (event.key === "?" && !event.ctrlKey && !event.metaKey && !types(event.target) && !palette.matches(":popover-open")) {
    event.preventDefault();
    keys.togglePopover();
  }
}

if (palette) {
  window.addEventListener("keydown", onPageKey, { capture: true });
  palette.addEventListener("keydown", onKey);
  for (const popover of [palette, keys]) popover.addEventListener("keyup", (event) => event.key === "Escape" && event.stopPropagation());
  palette.addEventListener("toggle", (event) => {
    if (event.newState !== "closed") return;
    asked += 1;
    goWhenThere = null;
    clearTimeout(timer);
    if (document.activeElement === document.body || palette.contains(document.activeElement)) before?.focus?.();
  });
  text.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(look, LOOK_AFTER);
  });
  for (const one of document.querySelectorAll("[data-palette-open]")) one.addEventListener("click", open);
  window.addEventListener("hashchange", openNamed);
  openNamed();
}
