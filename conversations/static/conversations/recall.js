// What one typed here: the draft, kept over a reload, and the last lines that were said, which Up brings back.

const KEPT = 20;

export class Recall {
  constructor(id) {
    this.name = `echoadmin.typed.${id}`;
    const { draft = "", unsent = [], said = [] } = read(this.name);
    Object.assign(this, { draft, unsent, said });
    this.at = said.length; // where Up is; behind the last one when nothing is recalled
  }

  keep(draft, unsent) {
    this.draft = draft;
    this.unsent = unsent;
    this.write();
  }

  add(text) {
    this.said = [...this.said.filter((one) => one !== text), text].slice(-KEPT);
    this.at = this.said.length;
    this.write();
  }

  /** The next older (-1) or newer (1) line, or null when `text` is not to be replaced: it is neither empty nor recalled. */
  step(text, by) {
    if (text && text !== this.said[this.at]) return null;
    if (!text) this.at = this.said.length;
    const to = this.at + by;
    if (to < 0 || to > this.said.length) return null;
    this.at = to;
    return this.said[to] ?? "";
  }

  write() {
    const { draft, unsent, said } = this;
    try {
      sessionStorage.setItem(this.name, JSON.stringify({ draft, unsent, said }));
    } catch {
      // Full or forbidden: what was typed is on the page all the same.
    }
  }
}

function read(name) {
  try {
    return JSON.parse(sessionStorage.getItem(name)) ?? {};
  } catch {
    return {};
  }
}
