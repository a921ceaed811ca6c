// Whether the newest is followed: not while it is paused, nor while one reads further up or in a line that was opened.

const NEAR_END = 24; // pixels from the end that still count as the end

export class Following {
  /** turned(): called when it has begun or ended; goOn(): when its button asks for the newest. */
  constructor({ scroll, list, button }, { turned, goOn }) {
    Object.assign(this, { scroll, list, button, turned, goOn });
    this.isPaused = false; // by its button
    this.isAway = false; // by where one reads
    this.isCut = false; // the newest rows went while one read in earlier times
    button.addEventListener("click", () => (this.isPaused ? goOn() : this.pause()));
    scroll.addEventListener("scroll", () => this.moved(), { passive: true });
    const grown = new ResizeObserver(() => this.grown());
    for (const one of [scroll, list]) grown.observe(one);
  }

  get isOn() {
    return !this.isPaused && !this.isAway && !this.isCut;
  }

  get rest() {
    return this.scroll.scrollHeight - this.scroll.scrollTop - this.scroll.clientHeight;
  }

  pause() {
    this.isPaused = true;
    this.tell();
  }

  /** From now on again. */
  begin() {
    this.isPaused = this.isAway = this.isCut = false;
    this.tell();
  }

  tell() {
    this.button.setAttribute("aria-pressed", String(this.isPaused));
    this.button.textContent = this.isPaused ? "Resume" : "Pause";
    this.turned();
  }

  toEnd() {
    this.keepAt(0);
  }

  /** Scrolls to where `below` pixels are from the top of what is seen to the end; 0: to the end. */
  keepAt(below) {
    this.scroll.scrollTop = this.scroll.scrollHeight - below;
    this.top = this.scroll.scrollTop;
  }

  moved() {
    const isUp = this.scroll.scrollTop < this.top; // by whoever reads: what grows does not move it up
    this.top = this.scroll.scrollTop;
    if (this.rest <= NEAR_END) this.turnAway(false);
    else if (isUp) this.turnAway(true);
  }

  /** Something got another size: a font came, the window changed, a line was opened, in which one reads on. */
  grown() {
    if (!this.isOn) return;
    if (this.list.querySelector(":scope > li > .ea-turn-behind")) this.turnAway(this.rest > NEAR_END);
    else this.toEnd();
  }

  turnAway(isAway) {
    if (isAway === this.isAway) return;
    this.isAway = isAway;
    this.turned();
  }
}
