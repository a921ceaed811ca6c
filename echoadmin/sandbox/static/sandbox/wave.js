// A wave that moves while the replica speaks; a still one where motion is not wanted.

const still = window.matchMedia("(prefers-reduced-motion: reduce)");
const EASE = 0.12; // of the way to its height, a frame

export class Wave {
  constructor(canvas) {
    this.canvas = canvas;
    this.isMoving = false;
    this.height = 0; // 0 flat, 1 full
    this.frame = 0;
    still.addEventListener("change", () => this.wake());
    new ResizeObserver(() => this.draw(performance.now())).observe(canvas);
  }

  move(isMoving) {
    if (this.isMoving === isMoving) return;
    this.isMoving = isMoving;
    this.wake();
  }

  wake() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame((at) => this.step(at));
  }

  step(at) {
    const wanted = this.isMoving ? 1 : 0;
    if (still.matches) {
      this.height = wanted;
      this.draw(0);
      return;
    }
    this.height += (wanted - this.height) * EASE;
    if (!this.isMoving && this.height < 0.01) this.height = 0;
    this.draw(at);
    if (this.isMoving || this.height) this.wake();
  }

  draw(at) {
    const { canvas } = this;
    const scale = window.devicePixelRatio || 1;
    const [wide, high] = [Math.round(canvas.clientWidth * scale), Math.round(canvas.clientHeight * scale)];
    if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
    const pen = canvas.getContext("2d");
    pen.clearRect(0, 0, wide, high);
    pen.strokeStyle = getComputedStyle(canvas).color;
    pen.lineWidth = 2 * scale;
    pen.beginPath();
    for (let x = 0; x <= wide; x += 2 * scale) pen.lineTo(x, high / 2 + this.at(x / wide, at / 1000) * (high / 2 - scale * 2));
    pen.stroke();
  }

  /** Between -1 and 1, at a share of the width and a time in seconds; nothing at both ends. */
  at(share, seconds) {
    const inside = Math.sin(Math.PI * share) * this.height;
    return inside * (0.6 * Math.sin(share * 22 - seconds * 7) * Math.sin(seconds * 2.3 + 1) + 0.4 * Math.sin(share * 41 + seconds * 11));
  }
}
