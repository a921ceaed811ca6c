// A list with boxes to tick: ticks all of them, counts the ticked, and has the button wait for a first one.

const form = document.getElementById("changelist-form");
const bar = document.getElementById("ticked");

function count(boxes, all, button, words) {
  const ticked = boxes.filter((box) => box.checked).length;
  all.checked = ticked === boxes.length;
  all.indeterminate = ticked > 0 && ticked < boxes.length;
  button.disabled = ticked === 0;
  words.textContent = ticked ? `\u00a0(${ticked})` : "";
}

if (bar) {
  const boxes = [...form.querySelectorAll('input.ea-tick[name]')];
  const all = document.getElementById("tick-all");
  const show = () => count(boxes, all, bar.querySelector("button"), document.getElementById("tick-count"));
  bar.hidden = boxes.length === 0;
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    show();
  });
  form.addEventListener("change", show);
  window.addEventListener("pageshow", show); // a page from the history keeps its ticks
  show();
}
