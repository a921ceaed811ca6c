// The sound of a line: a waveform that is played from, and moved in, by pointer and by key.

import { lasting } from "../../echoadmin/times.js";

const HEIGHT = 28; // CSS pixels
const BAR = 2;
const SPACE = 1;

let playing = null; // one line sounds at a time

/** A player for the sound at `address` (…/audio/); its waveform is read when it comes into view. */
export function player(address, words) {
  const made = document.createElement("div");
  made.className = "ea-player";
  made.role = "group";
  made.ariaLabel = `Sound: ${words}`;
  made.innerHTML = `<button type="button" class="ea-button ea-small-button" data-play>Play</button>
    <span class="ea-waveform"><canvas height="${HEIGHT}" aria-hidden="true"></canvas><input type="range" min="0" max="1000" value="0" step="1" aria-label="Where it plays"></span>
    <span class="ea-player-time ea-number"></span><a class="ea-link" download>WAV</a>`;
  made.querySelector("a").href = address;
  new Player(made, address);
  return made;
}

const inView = new IntersectionObserver((seen) => {
  for (const { isIntersecting, target } of seen) {
    if (!isIntersecting) continue;
    inView.unobserve(target);
    target.player.read();
  }
});

class Player {
  constructor(holder, address) {
    this.address = address;
    this.button = holder.querySelector("button");
    this.canvas = holder.querySelector("canvas");
    this.range = holder.querySelector("input");
    this.time = holder.querySelector(".ea-player-time");
    this.peaks = [];
    this.seconds = 0;
    holder.player = this;
    this.button.addEventListener("click", () => this.toggle());
    this.range.addEventListener("input", () => this.move());
    inView.observe(holder);
  }

  async read() {
    const answer = await fetch(this.address.replace(/audio\/$/, "peaks/")).catch(() => null);
    if (!answer?.ok || answer.redirected) return void (this.time.textContent = answer?.status === 404 ? "no sound is kept" : "not loaded");
    const { peaks, seconds } = await answer.json();
    this.peaks = peaks;
    this.seconds = seconds;
    this.draw();
  }

  draw() {
    const at = this.seconds ? this.at / this.seconds : 0;
    const width = this.canvas.clientWidth;
    if (this.canvas.width !== width) this.canvas.width = width;
    const pen = this.canvas.getContext("2d");
    const style = getComputedStyle(this.canvas);
    const bars = Math.floor(width / (BAR + SPACE));
    pen.clearRect(0, 0, width, HEIGHT);
    for (let bar = 0; bar < bars; bar += 1) {
      const peak = this.peaks[Math.floor((bar * this.peaks.length) / bars)] ?? 0;
      const height = Math.max(2, (peak / 100) * HEIGHT);
      pen.fillStyle = bar / bars < at ? style.getPropertyValue("--ea-accent-text") : style.getPropertyValue("--ea-soft");
      pen.fillRect(bar * (BAR + SPACE), (HEIGHT - height) / 2, BAR, height);
    }
    this.time.textContent = this.at ? `${lasting(this.at)} / ${lasting(this.seconds)}` : lasting(this.seconds);
    this.range.value = String(Math.round(at * 1000));
    this.range.ariaValueText = `${lasting(Math.round(this.at))} of ${lasting(Math.round(this.seconds))}`;
  }

  get at() {
    return this.audio?.currentTime ?? 0;
  }

  sound() {
    if (this.audio) return this.audio;
    this.audio = new Audio(this.address);
    for (const name of ["play", "pause", "ended"]) this.audio.addEventListener(name, () => this.turned());
    this.audio.addEventListener("error", () => (this.time.textContent = "could not be played"));
    return this.audio;
  }

  toggle() {
    const audio = this.sound();
    if (!audio.paused) return audio.pause();
    if (playing && playing !== this) playing.audio.pause();
    playing = this;
    audio.play().catch(() => {}); // its error event tells why
  }

  move() {
    const audio = this.sound();
    const to = (this.range.value / 1000) * this.seconds;
    if (audio.readyState) audio.currentTime = to;
    else audio.addEventListener("loadedmetadata", () => (audio.currentTime = to), { once: true });
    if (!audio.readyState) audio.load();
    audio.addEventListener("seeked", () => this.draw(), { once: true });
  }

  turned() {
    this.button.textContent = this.audio.paused ? "Play" : "Pause";
    this.draw();
    if (!this.audio.paused) this.follow();
  }

  follow() {
    requestAnimationFrame(() => {
      if (!this.canvas.isConnected) return this.audio.pause(); // its line went
      this.draw();
      if (!this.audio.paused) this.follow();
    });
  }
}
