// One picture over the whole page: the wheel or two keys make it larger, dragging moves it.

import { byId, el, imageAddress } from "./dom.js";

const MOST = 16;
const STEP = 1.25;

/** Show a picture over the page; any click, Z or Esc ends it. */
export function zoom(item, side) {
  const dialog = byId("zoom");
  const image = el("img", { alt: `Image ${item.name}, enlarged`, draggable: "false", src: imageAddress(item.id, side) });
  const seen = { scale: 1, x: 0, y: 0 };
  const draw = () => { image.style.transform = `translate(${seen.x}px, ${seen.y}px) scale(${seen.scale})`; };
  const scale = (by, x, y) => {
    const next = Math.max(1, Math.min(MOST, seen.scale * by));
    const [dx, dy] = [x - innerWidth / 2, y - innerHeight / 2]; // the point under the pointer stays there
    seen.x = next === 1 ? 0 : dx - (dx - seen.x) * (next / seen.scale);
    seen.y = next === 1 ? 0 : dy - (dy - seen.y) * (next / seen.scale);
    seen.scale = next;
    draw();
  };
  let from = null;
  let moved = false;
  image.addEventListener("wheel", (event) => {
    event.preventDefault();
    scale(event.deltaY < 0 ? STEP : 1 / STEP, event.clientX, event.clientY);
  }, { passive: false });
  image.addEventListener("pointerdown", (event) => {
    from = [event.clientX - seen.x, event.clientY - seen.y];
    moved = false;
    image.setPointerCapture(event.pointerId);
  });
  image.addEventListener("pointermove", (event) => {
    if (!from) return;
    moved ||= Math.hypot(event.clientX - seen.x - from[0], event.clientY - seen.y - from[1]) > 4;
    if (seen.scale > 1) [seen.x, seen.y] = [event.clientX - from[0], event.clientY - from[1]];
    draw();
  });
  image.addEventListener("pointerup", () => { from = null; });
  dialog.onclick = () => { if (!moved) dialog.close(); };
  dialog.onkeydown = (event) => {
    const by = { "+": STEP, "=": STEP, "-": 1 / STEP }[event.key];
    if (by) scale(by, innerWidth / 2, innerHeight / 2);
    else if (event.key.toLowerCase() === "z") dialog.close();
    else return;
    event.preventDefault();
    event.stopPropagation(); // Z would open it again
  };
  dialog.replaceChildren(image);
  dialog.showModal();
  dialog.focus(); // so that its keys are heard
}
