// Audio files: chosen, dropped or pasted; looked at before they are sent, with what is wrong and the way out.

import { freshId } from "./posting.js";

const CONVERT = "Take its sound out, for example: ffmpeg -i FILE -ac 1 -ar 24000 out.wav";
const VIDEO = /\.(mp4|m4v|mov|mkv|avi|webm|mpe?g|wmv|flv)$/i;
const AUDIO = /\.(wav|wave|mp3|flac|ogg|oga|opus|aiff?|au|caf|w64|rf64)$/i;
const READ = "WAV, FLAC, OGG, Opus, MP3 and AIFF are read.";

/** Why this file can't be said, or "". */
export function wrong(file, largest) {
  if (file.type.startsWith("video/") || VIDEO.test(file.name)) return `${file.name} is a video. ${CONVERT}`;
  if (!file.size) return `${file.name} is empty. Choose the audio file again.`;
  if (file.size > largest) {
    return `${file.name} has ${megabytes(file.size)}; at most ${megabytes(largest)} are taken. Cut it, or make it smaller: ffmpeg -i FILE -ac 1 -ar 24000 out.flac`;
  }
  if (/\.(m4a|aac|wma)$/i.test(file.name)) return `${file.name} is of a kind that can't be read here. ${READ} Convert it, for example: ffmpeg -i FILE -ac 1 -ar 24000 out.wav`;
  if (file.type.startsWith("audio/") || AUDIO.test(file.name)) return "";
  return `${file.name} is no audio file. ${READ}`;
}

export class Files {
  /** canSend(): the words why nothing can be sent, or "". */
  constructor(bus, root, form, canSend) {
    this.bus = bus;
    this.root = root;
    this.canSend = canSend;
    this.largest = Number(form.dataset.largest);
    this.input = form.querySelector("#say-audio");
    this.shown = form.querySelector("#upload");
    this.bar = this.shown.querySelector("progress");
    this.words = this.shown.querySelector("[data-words]");
    this.shown.querySelector("#upload-abort").addEventListener("click", () => this.abort());
    this.input.hasChangeListener = true; // the theme's own listener wants a text field beside it, and breaks without one
    this.input.addEventListener("change", () => this.take(this.input.files));
    form.addEventListener("paste", (event) => event.clipboardData.files.length && this.caught(event, event.clipboardData.files));
    for (const name of ["dragenter", "dragover"]) form.addEventListener(name, (event) => this.over(event, form));
    form.addEventListener("dragleave", (event) => form.contains(event.relatedTarget) || form.classList.remove("ea-dropping"));
    form.addEventListener("drop", (event) => this.drop(event, form));
  }

  over(event, form) {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    form.classList.add("ea-dropping");
  }

  drop(event, form) {
    form.classList.remove("ea-dropping");
    if (event.dataTransfer.files.length) this.caught(event, event.dataTransfer.files);
  }

  caught(event, files) {
    event.preventDefault();
    this.take(files);
  }

  take(files) {
    const [file] = files;
    if (!file) return;
    const why = this.why(files, file);
    if (why) this.refuse(why);
    else this.send(file);
  }

  why(files, file) {
    if (files.length > 1) return "Give one file at a time: each is an echo of its own.";
    if (this.asked) return "A file is being sent already. Wait, or stop it first.";
    return this.canSend() || wrong(file, this.largest);
  }

  refuse(words) {
    this.input.value = ""; // the same file can be chosen again
    this.bus.tell("refused", words);
  }

  send(file) {
    const like = [file.name, file.size, file.lastModified].join();
    if (this.like !== like) this.id = freshId(); // tried again with its id, it is said once
    this.like = like;
    const body = new FormData();
    body.append("inference_id", this.id);
    body.append("audio", file);
    const asked = new XMLHttpRequest();
    this.asked = asked;
    asked.open("POST", `${this.root.dataset.base}speak/`);
    asked.setRequestHeader("Accept", "application/json");
    asked.setRequestHeader("X-CSRFToken", this.root.querySelector("input[name=csrfmiddlewaretoken]").value);
    asked.upload.addEventListener("progress", ({ loaded, total }) => this.progress(file, loaded / total));
    asked.addEventListener("load", () => this.done(asked));
    asked.addEventListener("error", () => this.end("The file did not get through. Check that the console runs, then choose it again."));
    asked.addEventListener("abort", () => this.end(`Stopped: ${file.name} was not sent.`));
    this.progress(file, 0);
    this.shown.hidden = false;
    this.bus.tell("refused", "");
    asked.send(body);
  }

  progress(file, part) {
    this.bar.value = part;
    this.words.textContent = part < 1 ? `Sending ${file.name} (${megabytes(file.size)})` : `Reading ${file.name}`;
  }

  done(asked) {
    let said = null;
    try {
      said = JSON.parse(asked.responseText);
    } catch {
      return this.end(asked.responseURL.includes("/login/") ? "You are signed out. Reload the page to sign in, then choose the file again." : `The console answered ${asked.status}. Choose the file again.`);
    }
    if (asked.status >= 300) return this.end([said.error?.message, said.error?.way_out].filter(Boolean).join(" "));
    this.like = "";
    this.end("");
    this.bus.tell("echo", said);
  }

  abort() {
    this.asked?.abort();
  }

  end(words) {
    this.asked = null;
    this.shown.hidden = true;
    this.refuse(words);
  }
}

function megabytes(bytes) {
  return `${Math.max(0.1, bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}
