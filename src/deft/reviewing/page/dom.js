// Building blocks of the page. Names come from strangers: they only ever become text, never markup.

/** An element with attributes and children; strings become text. */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : String(value));
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A name from the data, shown in its own direction of writing. */
export function name(text) {
  return el("bdi", {}, text);
}

/** A name where there is little room: it breaks after a "_", before it breaks anywhere. */
export function narrowName(text) {
  return el("bdi", {}, ...text.split(/(?<=_)(?=.)/u).flatMap((part, place) => (place ? [el("wbr"), part] : [part])));
}

/** A button with the key that does the same. */
export function button(text, key, action, attributes = {}) {
  return el("button", { type: "button", onclick: action, "aria-keyshortcuts": key, ...attributes },
    el("span", {}, ...(Array.isArray(text) ? text : [text])), key ? el("kbd", { "aria-hidden": "true" }, key) : null);
}

export function byId(id) {
  return document.getElementById(id);
}

/** Address of an image; the server knows no other way to one. */
export function imageAddress(id, side) {
  return `/image?${new URLSearchParams({ id, side })}`;
}

/** An image that says so if it can't be read. */
export function picture(item, side) {
  const shown = el("img", { alt: `Image ${item.name}`, draggable: "false" });
  shown.addEventListener("load", () => shown.classList.toggle("small", shown.naturalWidth < 160));
  shown.addEventListener("error", () => {
    const why = item.error ?? "The image can't be read.";
    shown.replaceWith(el("p", { class: "unreadable" }, name(why)));
  });
  shown.src = imageAddress(item.id, side);
  return shown;
}

export const STATUS = {
  kept: "kept",
  corrected: "corrected to",
  none_of_these: "none of these",
  bad_image: "bad image",
  skipped: "skipped",
};

/** What to show in place of a suggestion. */
export function better(item) {
  return item.suggested || "nothing fits better";
}

/** What was decided about an image, in words. */
export function decided(item) {
  if (!item.status) return "not decided";
  return item.status === "corrected" ? `corrected to ${item.label}` : STATUS[item.status];
}

/** What stands about images and who decided it, in words. */
export function stands(items) {
  return items.map((item) => `${item.name}: ${decided(item)}${item.reviewer ? ` by ${item.reviewer}` : ""}`).join("; ");
}

/** A score as people read it: no small number looks like nothing. */
export function told(score) {
  if (score === null) return "–";
  return score < 0.0005 ? "< 0.001" : score.toFixed(3);
}
