// What a pre-flight found: each check with its mark, its words and the way out.

const MARKS = { good: ["✓", "fine"], odd: ["!", "to know"], wrong: ["✕", "would fail"] };
/** good, odd (to be known) or wrong (it would fail). */
export const kindOf = (check) => (check.ok ? "good" : check.blocks ? "wrong" : "odd");

function part(tag, className, words) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = words;
  return made;
}

/** A row for a check, as the API has it. */
export function drawn(check) {
  const row = document.createElement("li");
  const kind = kindOf(check);
  row.dataset.check = check.name;
  row.dataset.kind = kind;
  const mark = part("span", "ea-mark", MARKS[kind][0]);
  mark.ariaHidden = "true";
  const words = part("span", "ea-check-words", "");
  words.append(part("span", "ea-hidden", `${MARKS[kind][1]}: `), check.words);
  if (check.way_out) {
    const way = check.address ? Object.assign(part("a", "ea-link", check.way_out), { href: check.address }) : part("span", "ea-small", check.way_out);
    words.append(" ", way);
  }
  row.append(mark, words);
  return row;
}
