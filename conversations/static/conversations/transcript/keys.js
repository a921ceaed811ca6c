// The rows of the transcript by keyboard: one stop for Tab, the arrows go from row to row.

const TO = { ArrowDown: 1, ArrowUp: -1 };

export class Keys {
  constructor(list) {
    this.list = list;
    this.row = null; // the one that Tab comes to
    list.addEventListener("keydown", (event) => this.press(event));
  }

  /** Tab comes to the newest row, unless one is in another. */
  begin() {
    if (this.row && this.row.contains(document.activeElement)) return;
    const newest = this.list.querySelector(":scope > li.ea-turn:last-of-type");
    if (newest) this.turn(newest);
  }

  turn(row) {
    if (row === this.row) return;
    if (this.row) controls(this.row).forEach((one) => (one.tabIndex = -1));
    this.row = row;
    controls(row).forEach((one) => (one.tabIndex = 0));
  }

  leave(row) {
    if (row === this.row) this.row = null;
  }

  press(event) {
    if (event.target.matches("input") || event.target.closest(".ea-turn-behind") || event.altKey || event.ctrlKey || event.metaKey) return;
    const to = this.other(event.key);
    if (!to) return;
    event.preventDefault();
    this.turn(to);
    to.querySelector(".ea-turn-open").focus({ preventScroll: true });
    to.scrollIntoView({ block: "nearest" });
  }

  other(key) {
    const rows = [...this.list.querySelectorAll(":scope > li.ea-turn")];
    if (key === "Home") return rows[0];
    if (key === "End") return rows.at(-1);
    return key in TO && this.row ? rows[rows.indexOf(this.row) + TO[key]] : null;
  }
}

function controls(row) {
  return row.querySelectorAll(":scope > .ea-turn-head > button, :scope > .ea-player :is(button, input, a)");
}
