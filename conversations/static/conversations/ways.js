// On a phone the further ways to speak are folded; where there is room they are always there.

const NARROW = 768; // CSS pixels of the page's own width, as in composer.css

export function start(bus, root) {
  const ways = root.querySelector(".ea-more-ways");
  if (!ways) return;
  let was = null;
  new ResizeObserver(([{ contentRect }]) => {
    const isNarrow = contentRect.width < NARROW;
    if (isNarrow !== was) ways.open = !isNarrow;
    was = isNarrow;
  }).observe(root);
}
