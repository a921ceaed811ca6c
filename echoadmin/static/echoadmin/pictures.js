// A replica's moving thumbnail is fetched when it comes into view, from the console's own host; two letters stand there until then.

const still = window.matchMedia("(prefers-reduced-motion: reduce)");

/** Watches each element with data-picture under `root`. */
export function showPictures(root) {
  const watcher = new IntersectionObserver((seen) => {
    for (const { isIntersecting, target } of seen) {
      if (!isIntersecting) continue;
      watcher.unobserve(target);
      load(target);
    }
  });
  for (const face of root.querySelectorAll("[data-picture]")) watcher.observe(face);
}

async function load(face) {
  const answer = await fetch(face.dataset.picture).catch(() => null);
  if (!answer?.ok) return; // the letters stay
  const moving = (answer.headers.get("Content-Type") ?? "").startsWith("video/");
  const picture = document.createElement(moving ? "video" : "img");
  if (moving) Object.assign(picture, { muted: true, loop: true, playsInline: true, autoplay: !still.matches });
  else picture.alt = "";
  picture.src = URL.createObjectURL(await answer.blob());
  picture.addEventListener("error", () => picture.remove());
  face.append(picture);
}
