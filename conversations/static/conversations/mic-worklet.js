// In the audio's own thread: samples of the microphone become frames of PCM16 little-endian mono, each with its level.

const SAMPLES = 1200; // in a frame: 50 ms at 24 kHz

class Frames extends AudioWorkletProcessor {
  constructor() {
    super();
    this.fresh();
    this.port.onmessage = () => {
      if (this.at) this.hand();
      this.port.postMessage({ end: true });
    };
  }

  fresh() {
    this.frame = new DataView(new ArrayBuffer(SAMPLES * 2));
    this.at = 0;
    this.level = 0;
  }

  hand() {
    const samples = this.frame.buffer.slice(0, this.at * 2);
    this.port.postMessage({ samples, level: this.level }, [samples]);
    this.fresh();
  }

  process([[samples]]) {
    if (!samples) return true; // nothing is connected yet
    for (const sample of samples) {
      const within = Math.max(-1, Math.min(1, sample));
      this.level = Math.max(this.level, Math.abs(within));
      this.frame.setInt16(this.at * 2, Math.round(within * 32767), true);
      this.at += 1;
      if (this.at === SAMPLES) this.hand();
    }
    return true;
  }
}

registerProcessor("frames", Frames);
