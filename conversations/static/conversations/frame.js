// The Daily room in a frame, once it is asked for: whoever watches is in the room.

import { post } from "./posting.js";

const ALLOWED = ["camera", "microphone", "autoplay", "display-capture"]; // as Daily documents for its own frame

export function start(bus, root) {
  const stage = root.querySelector("[data-stage-module]");
  if (!stage.querySelector("[data-frame]")) return; // who only reads watches nothing
  const frame = new Frame(root, stage);
  bus.on("state", ({ is_active: isActive }) => isActive || frame.close());
}

class Frame {
  constructor(root, stage) {
    this.root = root;
    this.stage = stage;
    this.field("watch").addEventListener("click", () => this.watch());
    this.field("close").addEventListener("click", () => {
      this.close();
      this.field("watch").focus();
    });
    this.field("larger").addEventListener("click", () => this.frame?.requestFullscreen());
  }

  field(name) {
    return this.stage.querySelector(`[data-frame="${name}"]`);
  }

  async watch() {
    this.field("watch").disabled = true;
    const { address, error } = await post(this.root, "room-address/");
    this.field("watch").disabled = false;
    this.field("error").textContent = error ?? "";
    this.field("error").hidden = !error;
    if (address) this.open(address);
  }

  /** The address may hold a token: it stands in no attribute and in no history. */
  open(address) {
    this.close();
    const { origin } = new URL(address);
    this.frame = document.createElement("iframe");
    this.frame.title = "The Daily room";
    // Without an origin a permission is that of `src`, and there is none.
    this.frame.allow = ALLOWED.map((one) => `${one} ${origin}`).join("; ");
    this.field("here").append(this.frame);
    this.frame.contentWindow.location.replace(address);
    this.show(true);
    this.field("close").focus();
  }

  /** Leaves the room: a frame that is gone has hung up. */
  close() {
    if (!this.frame) return;
    this.frame.remove();
    this.frame = null;
    this.show(false);
  }

  show(isOpen) {
    this.field("watch").hidden = isOpen;
    this.field("close").hidden = this.field("larger").hidden = !isOpen;
    this.stage.closest("#stage").dataset.watched = isOpen ? "yes" : "no";
  }
}
