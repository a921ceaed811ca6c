// The sound of what is said, from the console's own WAV of it: off until it is asked for, as browsers want it.

const LATE = 0.7; // s: who comes later than this hears on from where the replica is

const HINT = {
  off: "Text has no sound here: Tavus makes it.",
  on: "Audio is heard as it was sent.",
  refused: "The browser did not let it play. Press it again.",
  gone: "The sound of this one is not there: it was erased, or the console did not answer.",
};

export class Sound {
  /** sounds: the address beneath which an echo's sound is. */
  constructor(sounds, audio, button, hint) {
    Object.assign(this, { sounds, audio, button, hint });
    this.isOn = false;
    this.playing = ""; // an inference_id
    this.coming = ""; // of audio that is being said and is not whole yet
    this.speaking = null;
    this.ahead = 0; // ms that the console's clock is ahead of this browser's
    button.addEventListener("click", () => this.turn(!this.isOn));
    audio.addEventListener("error", () => this.playing && this.tell("gone"));
  }

  clock(now) {
    this.ahead = Date.parse(now) - Date.now();
  }

  turn(isOn) {
    this.isOn = isOn;
    this.button.setAttribute("aria-pressed", String(isOn));
    this.button.textContent = isOn ? "Sound off" : "Sound on";
    this.tell(isOn ? "on" : "off");
    if (isOn) this.follow();
    else this.stop();
  }

  /** An echo changed, and this is what is being said now (null: nothing). */
  take(echo, speaking) {
    this.speaking = speaking;
    const isThis = echo.inference_id === this.playing;
    if (isThis && !["speaking", "spoken"].includes(echo.state)) this.stop(); // one that was spoken runs out by itself
    if (!this.isOn) return;
    if (echo.inference_id === this.coming && echo.closed_at && echo.state === "spoken") this.play(echo, 0);
    this.follow();
  }

  follow() {
    const echo = this.speaking;
    if (!echo || echo.inference_id === this.playing) return;
    if (this.playing) this.stop();
    this.coming = echo.closed_at ? "" : echo.inference_id;
    if (echo.modality !== "audio" || this.coming) return;
    const late = (Date.now() + this.ahead - Date.parse(echo.times.speaking)) / 1000;
    this.play(echo, late > LATE && !this.wasRecorded(echo) ? Math.min(late, echo.seconds) : 0);
  }

  play(echo, from) {
    this.playing = echo.inference_id;
    this.coming = "";
    this.audio.src = `${this.sounds}${encodeURIComponent(echo.inference_id)}/audio/`;
    this.audio.currentTime = from;
    this.audio.play().then(
      () => this.tell("on"),
      (error) => error.name === "NotAllowedError" && this.refuse(),
    );
  }

  /** Whether its end came after it was begun to be said: then it is heard from its beginning. */
  wasRecorded(echo) {
    return Date.parse(echo.closed_at) > Date.parse(echo.times.speaking);
  }

  stop() {
    this.playing = this.coming = "";
    this.audio.pause();
    this.audio.removeAttribute("src");
  }

  refuse() {
    this.turn(false);
    this.tell("refused");
  }

  tell(what) {
    if (this.hint.textContent !== HINT[what]) this.hint.textContent = HINT[what];
  }
}
