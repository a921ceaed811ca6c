// Hold to talk: what is said into the microphone goes out while it is said, as the samples that it gives and nothing made
// better. Held by the pointer, or by Space or Enter while the button has the focus.

import { freshId } from "./posting.js";

const RATE = 24000; // Hz
const CHOSEN = "echoadmin.microphone";
const LET_GO_WITHIN = 1000; // ms for the last frame
const NO_HTTPS = "A browser gives the microphone on https or localhost only. Open this page by https, or send a file.";
const WHY = {
  NotAllowedError: "The browser refused the microphone. Allow it for this site (beside the address), then hold again.",
  NotFoundError: "No microphone was found. Plug one in, then hold again.",
  NotReadableError: "Another program holds the microphone, or it is broken. Close that program or choose another, then hold again.",
  OverconstrainedError: "The chosen microphone is not there. Choose another, then hold again.",
};
const LOST = "The connection was lost while you talked. The replica says what came until then; hold again when the page says live.";
const ENDED = "The conversation ended while you talked: the microphone is off, and nothing more is said.";

export function start(bus, root) {
  const button = root.querySelector("#mic");
  if (button) new Microphone(bus, root, button);
}

class Microphone {
  constructor(bus, root, button) {
    this.bus = bus;
    this.button = button;
    this.words = button.querySelector("[data-words]");
    this.meter = root.querySelector("#mic-level");
    this.devices = root.querySelector("#mic-device");
    this.note = root.querySelector("#mic-note");
    this.isHeld = false;
    this.talk = null; // what is being recorded
    if (!window.isSecureContext || !navigator.mediaDevices) {
      this.never = true;
      this.tell(NO_HTTPS);
      this.dress();
      return;
    }
    this.listen(bus);
    this.list();
  }

  listen(bus) {
    const held = (event) => event.key === " " || event.key === "Enter";
    this.button.addEventListener("pointerdown", (event) => event.button === 0 && this.hold(event));
    for (const name of ["pointerup", "pointercancel", "lostpointercapture", "blur"]) this.button.addEventListener(name, () => this.letGo());
    this.button.addEventListener("keydown", (event) => held(event) && this.hold(event));
    this.button.addEventListener("keyup", (event) => held(event) && (event.preventDefault(), this.letGo()));
    this.button.addEventListener("click", (event) => event.preventDefault());
    this.button.addEventListener("contextmenu", (event) => event.preventDefault()); // of a long press
    this.devices.addEventListener("change", () => localStorage.setItem(CHOSEN, this.devices.value));
    navigator.mediaDevices.addEventListener("devicechange", () => this.list());
    bus.on("state", (state) => this.show(state));
    bus.on("link", (link) => this.reach(link));
    bus.on("fault", (fault) => this.talk && ((this.isRefused = true), this.fail(wordsOf(fault))));
    window.addEventListener("pagehide", () => this.release());
  }

  show({ can_speak: canSpeak, is_active: isActive }) {
    this.canSpeak = canSpeak;
    if (!isActive && this.talk) this.fail(ENDED);
    else if (!isActive && this.isRefused) this.tell(ENDED); // the room refused the samples before the page heard why
    this.dress();
  }

  reach({ isLive }) {
    this.isLive = isLive;
    if (!isLive && this.talk) this.fail(LOST);
    this.dress();
  }

  hold(event) {
    event.preventDefault();
    this.button.focus();
    if (event.pointerId !== undefined) this.button.setPointerCapture(event.pointerId);
    if (event.repeat || this.isHeld || this.talk || this.never) return;
    if (!this.canSpeak) return this.tell("The replica can't be spoken through now; the words above the buttons say why.");
    if (!this.isLive) return this.tell("Not started: the page has no connection. Hold again when it says live.");
    this.isHeld = true;
    this.isRefused = false;
    this.tell("");
    this.begin();
  }

  letGo() {
    if (!this.isHeld) return;
    this.isHeld = false;
    if (this.talk?.node) this.end(this.talk);
  }

  async begin() {
    const talk = { waiting: [], seconds: 0 };
    this.talk = talk;
    this.dress();
    try {
      talk.stream = await navigator.mediaDevices.getUserMedia({ audio: this.asked() });
      talk.context = new AudioContext({ sampleRate: RATE });
      await talk.context.audioWorklet.addModule(new URL("./mic-worklet.js", import.meta.url));
      await talk.context.resume();
    } catch (error) {
      return this.fail(WHY[error.name] ?? `The microphone did not start (${error.name}). Choose another, then hold again.`, talk);
    }
    this.list(); // now that it was allowed, the devices have names
    if (!this.isHeld || this.talk !== talk) return this.fail(this.talk === talk ? "Let go before the microphone was open: nothing was said." : "", talk);
    talk.stream.getAudioTracks()[0].addEventListener("ended", () => this.fail("The microphone is gone. The replica says what came until then.", talk));
    this.record(talk);
  }

  asked() {
    const device = this.devices.value ? { deviceId: { exact: this.devices.value } } : {};
    return { autoGainControl: false, noiseSuppression: false, echoCancellation: false, channelCount: 1, ...device };
  }

  record(talk) {
    talk.node = new AudioWorkletNode(talk.context, "frames", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
    talk.ended = new Promise((done) => {
      talk.node.port.onmessage = ({ data }) => (data.end ? done() : this.frame(talk, data));
    });
    talk.context.createMediaStreamSource(talk.stream).connect(talk.node);
    this.dress();
    talk.opened = this.bus.ask({ type: "audio", sample_rate: RATE, inference_id: freshId() }).then(({ echo }) => {
      this.bus.tell("echo", echo);
      talk.isOpen = true;
      for (const samples of talk.waiting.splice(0)) this.send(talk, samples);
    });
    talk.opened.catch((error) => this.fail(wordsOf(error), talk));
  }

  frame(talk, { samples, level }) {
    this.meter.value = level;
    talk.seconds += samples.byteLength / 2 / RATE;
    if (talk.isOpen) this.send(talk, samples);
    else talk.waiting.push(samples);
  }

  send(talk, samples) {
    if (this.talk === talk && !this.bus.frame(samples)) this.fail(LOST, talk);
  }

  async end(talk) {
    if (talk.isEnding) return;
    talk.isEnding = true;
    talk.node.port.postMessage("end");
    await Promise.race([talk.ended, new Promise((done) => setTimeout(done, LET_GO_WITHIN))]);
    this.release(talk);
    this.dress();
    try {
      await talk.opened;
      const { echo } = await this.bus.ask({ type: "audio_end" });
      this.bus.tell("echo", echo);
      if (this.talk === talk) this.tell(`Said ${talk.seconds.toFixed(1)} s.`);
    } catch (error) {
      if (this.talk === talk) this.tell(wordsOf(error));
    }
    if (this.talk === talk) this.talk = null;
    this.dress();
  }

  /** It is over before its end: what came until then is said, if anything did. */
  fail(words, talk = this.talk) {
    this.release(talk);
    if (this.talk !== talk) return;
    this.talk = null;
    this.isHeld = false;
    if (talk.isOpen && !talk.isEnding) this.bus.ask({ type: "audio_end" }).catch(() => {}); // else the room ends it in 2 s
    this.tell(words);
    this.dress();
  }

  release(talk = this.talk) {
    this.meter.value = 0;
    for (const track of talk?.stream?.getTracks() ?? []) track.stop();
    if (talk?.context && talk.context.state !== "closed") talk.context.close();
  }

  async list() {
    const found = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind, deviceId }) => kind === "audioinput" && deviceId && deviceId !== "default");
    const chosen = this.devices.value || localStorage.getItem(CHOSEN);
    const choice = (device, number) => new Option(device.label || `Microphone ${number + 1}`, device.deviceId);
    this.devices.replaceChildren(new Option("Default microphone", ""), ...found.map(choice));
    if (found.some(({ deviceId }) => deviceId === chosen)) this.devices.value = chosen;
  }

  /** The button stays to be focused: a disabled one would lose the key that is held. */
  dress() {
    const off = this.never || ((!this.canSpeak || !this.isLive) && !this.talk);
    this.button.setAttribute("aria-disabled", String(Boolean(off)));
    this.button.dataset.talking = this.talk?.node && !this.talk.isEnding ? "yes" : "no";
    const words = !this.talk ? "Hold to talk" : this.talk.isEnding ? "Ending…" : this.talk.node ? "Let go to end" : "Opening…";
    if (this.words.textContent !== words) this.words.textContent = words;
  }

  tell(words) {
    this.note.textContent = words;
  }
}

function wordsOf({ message, way_out }) {
  return [message, way_out].filter(Boolean).join(" ");
}
