// The drawn stage: what the twin's replica says now, as a caption, a wave and, where it is audio, its sound.

import { lasting } from "../echoadmin/times.js";
import { Sound } from "./sound.js";
import { Wave } from "./wave.js";

const STREAMED = /^conversation\.utterance\.streaming$/;

/** told: the echoes that the page knew before this module came, oldest first. */
export function start(bus, root, told) {
  const stage = new Stage(root.querySelector("[data-stage-module]"));
  bus.on("state", (state) => stage.sound.clock(state.now));
  for (const echo of told) stage.take(echo);
  bus.on("echo", (echo) => stage.take(echo));
  bus.on("entry", (entry) => stage.hear(entry));
}

class Stage {
  constructor(stage) {
    const field = (name) => stage.querySelector(`[data-drawn="${name}"]`);
    this.caption = field("caption");
    this.wave = new Wave(field("wave"));
    this.sound = new Sound(stage.dataset.sounds, field("audio"), field("sound"), field("hint"));
    this.speaking = null;
    this.heard = "";
  }

  /** An echo changed: the one that began last and has not ended is what the replica says. */
  take(echo) {
    const isThis = this.speaking?.inference_id === echo.inference_id;
    if (echo.state === "speaking" && (isThis || !isOlder(echo, this.speaking))) {
      if (!isThis) this.heard = "";
      this.speaking = echo;
    } else if (isThis) {
      this.speaking = null;
    }
    this.sound.take(echo, this.speaking);
    this.show();
  }

  /** What of a text has been said by now. */
  hear({ event_type: type, message }) {
    const said = STREAMED.test(type) && message?.properties?.speech;
    if (!said || !this.speaking?.text?.includes(said)) return;
    this.heard = said;
    this.show();
  }

  show() {
    const echo = this.speaking;
    this.wave.move(Boolean(echo));
    this.caption.dataset.speaking = echo ? "yes" : "no";
    const words = captionOf(echo);
    if (this.caption.textContent !== words) this.caption.textContent = words;
    if (this.heard && echo) this.mark(words);
  }

  /** The words until now stand out, and stay in view. */
  mark(words) {
    const end = words.indexOf(this.heard) + this.heard.length;
    const said = document.createElement("span");
    said.className = "ea-said";
    said.textContent = words.slice(0, end);
    const here = document.createElement("span");
    this.caption.replaceChildren(said, here, words.slice(end));
    const line = parseFloat(getComputedStyle(this.caption).lineHeight);
    this.caption.scrollTop = line * Math.max(0, Math.round(here.offsetTop / line) - 1);
  }
}

function isOlder(echo, than) {
  return than !== null && Date.parse(echo.times.speaking) < Date.parse(than.times.speaking);
}

function captionOf(echo) {
  if (!echo) return "Silent.";
  return echo.text || (echo.closed_at ? `Audio, ${lasting(echo.seconds)}.` : "Audio that is still coming.");
}
