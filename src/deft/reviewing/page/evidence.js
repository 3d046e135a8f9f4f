// Why an image is suspected: a sentence, its neighbours, and typical images of the classes.

import { el, name, picture } from "./dom.js";
import { call } from "./state.js";

const KEPT = 60; // answers that are remembered
const known = new Map();

/** Ask for the evidence on an image; asked for once. */
export function evidenceOf(id) {
  if (!known.has(id)) {
    const coming = call(`/api/evidence?${new URLSearchParams({ id })}`);
    coming.catch(() => known.delete(id)); // it may be asked for again
    known.set(id, coming);
    if (known.size > KEPT) known.delete(known.keys().next().value);
  }
  return known.get(id);
}

/** By what duplicates are known, as in `DUPLICATE_IN_WORDS` of deft.runs.vocabulary. */
const KNOWN_BY = { exact: "the same pixels", pixels: "nearly the same pixels", features: "a model's features" };

/** Places for the evidence on an image, a sentence and pictures, filled when it comes. */
export function evidence(item, side) {
  const sentence = el("p", { class: "why" });
  const file = el("p", { class: "file-facts" });
  const place = el("section", { class: "evidence", "aria-label": "Evidence" });
  evidenceOf(item.id).then((why) => {
    file.append(facts(why.file, item.name));
    if (why.sentence) sentence.append(name(why.sentence));
    else sentence.remove();
    place.replaceChildren(...[
      row("Nearest images", why.neighbours, side, item),
      row(["The same picture", item.copies?.kind ? `, known by ${KNOWN_BY[item.copies.kind]}` : ""], why.duplicates, side, item),
      el("div", { class: "both" }, ...[
        row(["Typical ", name(item.given)], why.given, side, null),
        row(["Typical ", name(item.suggested)], why.suggested, side, null),
      ].filter(Boolean)),
    ].filter(Boolean));
  }, () => { sentence.append("The evidence can't be had just now."); });
  return [sentence, place, file];
}

/** Size, date and path of an image's file, as far as they are known; of the path, what its name doesn't say already. */
function facts({ size, modified, path }, shown) {
  const known = [size ? `${size[0]} × ${size[1]} pixels` : null, modified ? new Date(modified).toLocaleString() : null];
  const line = el("span", {}, known.filter(Boolean).join(", "));
  if (!path || path === shown) return line;
  const ends = path.replaceAll("\\", "/").endsWith(`/${shown}`);
  const folder = ends ? path.slice(0, -shown.length - 1) || "/" : null;
  line.append(known.some(Boolean) ? ", " : "", folder ? "in " : "", el("code", { title: path }, name(folder ?? path)));
  return line;
}

function row(title, images, side, item) {
  if (!images.length) return null;
  return el("div", { class: "near" }, el("h3", {}, ...(Array.isArray(title) ? title : [title])),
    el("ul", {}, ...images.map((image) => el("li", { title: image.name },
      picture(image, side),
      item ? el("span", { class: speaksFor(image.label, item) }, name(image.label || "no label")) : null))));
}

/** Which label another image's label speaks for: the given one, the suggested one, or neither. */
function speaksFor(label, item) {
  if (label === item.given) return "same";
  return label === item.suggested ? "other" : "third";
}
