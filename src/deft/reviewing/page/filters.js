// The form that says which images are shown.

import { el } from "./dom.js";

const WAIT = 200; // milliseconds after the last key in a text field

/** Fill the form with what the run has, and tell of every change. */
export function fillFilters(form, about, changed) {
  const { given, suggested, pair } = form.elements;
  for (const field of [given, suggested]) {
    field.append(...about.classes.map((label) => el("option", { value: label }, label)));
  }
  pair.append(...about.pairs.map(([from, to, count], place) =>
    el("option", { value: place }, `${from} → ${to} (${count})`)));
  form.elements.kind.append(...about.kinds.map(([key, words, count]) =>
    el("option", { value: key }, `${words} (${count})`)));
  pair.addEventListener("change", () => {
    const [from, to] = pair.value === "" ? ["", ""] : about.pairs[Number(pair.value)];
    given.value = from;
    suggested.value = to;
  });
  for (const field of [given, suggested]) field.addEventListener("change", () => { pair.value = ""; });
  let waiting;
  const later = (wait) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { if (wait ? form.checkValidity() : form.reportValidity()) changed(); }, wait);
  };
  form.addEventListener("change", () => later(0));
  form.addEventListener("input", (event) => { if (event.target.matches("input")) later(WAIT); });
  form.addEventListener("reset", () => later(0));
  form.addEventListener("submit", (event) => event.preventDefault());
}

/** Whether the form leaves out more, or other images, than it does at first. */
export function isFiltered(form) {
  return [...form.elements].some((field) => {
    if (!field.name) return false;
    const first = field.options ? field.options[0].value : field.defaultValue;
    return field.value !== first;
  });
}

/** The query that the form stands for. */
export function readFilters(form) {
  const query = {};
  const fields = ["verdict", "show", "given", "suggested", "low", "high", "search", "order", "kind", "duplicates", "change"];
  for (const field of fields) {
    query[field] = form.elements[field].value;
  }
  return query;
}

/** Set some fields. */
export function setFilters(form, values) {
  for (const [field, value] of Object.entries(values)) form.elements[field].value = value;
  if ("given" in values || "suggested" in values) form.elements.pair.value = "";
}
