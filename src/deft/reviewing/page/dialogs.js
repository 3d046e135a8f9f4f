// What lies over the page: choosing a class by typing, and help.

import { byId, el, name } from "./dom.js";

const LISTED = 100;

/** Let somebody choose a class; gives its name, or null. `first` are the likely ones. */
export function chooseClass(classes, first) {
  const dialog = byId("classes");
  return new Promise((resolve) => {
    let found = [];
    let at = 0;
    const list = el("ul", { id: "class-list", role: "listbox", "aria-label": "Classes" });
    const input = el("input", {
      type: "text", role: "combobox", "aria-label": "Class", "aria-controls": "class-list", "aria-expanded": "true",
      "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false", placeholder: "type to search",
    });
    const close = (choice) => { dialog.close(); resolve(choice); };
    const mark = () => {
      [...list.children].forEach((row, place) => {
        row.setAttribute("aria-selected", String(place === at));
        if (place === at) row.scrollIntoView({ block: "nearest" });
      });
      if (found.length) input.setAttribute("aria-activedescendant", `class-${at}`);
      else input.removeAttribute("aria-activedescendant");
    };
    const search = () => {
      found = matching(classes, first, input.value);
      at = 0;
      list.replaceChildren(...found.map((label, place) => el("li", {
        id: `class-${place}`, role: "option", onclick: () => close(label),
      }, name(label))));
      mark();
    };
    input.addEventListener("input", search);
    input.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step && found.length) at = (at + step + found.length) % found.length;
      else if (event.key === "Enter" && found.length) close(found[at]);
      else return;
      event.preventDefault();
      mark();
    });
    dialog.replaceChildren(
      el("h2", { id: "classes-title" }, "Choose the right class"), input, list,
      el("p", {}, el("kbd", {}, "↑"), " ", el("kbd", {}, "↓"), " move, ", el("kbd", {}, "Enter"), " chooses, ",
        el("kbd", {}, "Esc"), " leaves"));
    dialog.onclose = () => { if (!dialog.open) resolve(null); }; // after a choice, it is resolved already
    search();
    dialog.showModal();
    input.focus();
  });
}

/** Classes that hold a text, those that begin with it first. */
export function matching(classes, first, text) {
  const part = text.trim().toLocaleLowerCase();
  if (!part) return [...first, ...classes.filter((label) => !first.includes(label))].slice(0, LISTED);
  const holding = classes.filter((label) => label.toLocaleLowerCase().includes(part));
  const begins = (label) => (label.toLocaleLowerCase().startsWith(part) ? 0 : 1);
  return holding.sort((a, b) => begins(a) - begins(b)).slice(0, LISTED);
}

const HELP = [
  ["One image", [
    ["K", "the given label is right"], ["S", "the suggestion is right"], ["1 – 5", "this one of the probable classes is"],
    ["C", "another class: type, Enter"], ["N", "none of the classes"], ["B", "bad image"], ["X", "skip for now"],
    ["← →", "look back, look on"], ["A", "all with this label and suggestion, in the grid"],
  ]],
  ["Grid", [
    ["← ↑ → ↓", "move"], ["Space", "select"], ["Shift + click", "select up to here"], ["A", "select all or none"],
    ["K S C N B X", "decide about the selected, or the one in focus"], ["PgUp PgDn", "turn the page"],
  ]],
  ["Anywhere", [
    ["U, Ctrl + Z", "undo"], ["G", "grid or one image"], ["F", "filter"], ["/", "search by file name"],
    ["Z, click, wheel", "the picture larger; again, or Esc, ends it"],
    ["Esc", "leave a field; Enter too"], ["?", "this help"],
  ]],
];

const TOUCH = [
  ["One image", [
    ["Tap a button", "decide; the next image comes"], ["Tap the picture", "see it larger; tap again to leave"],
    ["Scroll", "why it is suspected: its nearest images, and typical ones"], ["All alike", "all with this label and suggestion"],
  ]],
  ["Grid", [
    ["Tap", "select or leave out"], ["Select all", "all on this page"], ["A button", "decides about the selected"],
  ]],
  ["Anywhere", [
    ["Undo", "in the message after each decision, and at the top"], ["Filter", "which images are shown"],
    ["about … left", "what is left, and where to go on"],
  ]],
];

/** Show the keys; `keys` says whether single letters act, and can be changed here. */
export function showHelp(keys) {
  const dialog = byId("help");
  const box = el("input", { type: "checkbox", id: "keys-on", onchange: () => { keys.on = box.checked; } });
  box.checked = keys.on;
  const touch = matchMedia("(pointer: coarse)").matches;
  const shown = touch ? [...TOUCH, ["With a keyboard", HELP.flatMap(([, rows]) => rows)]] : HELP;
  dialog.replaceChildren(
    el("h2", { id: "help-title", tabindex: "-1", autofocus: true }, touch ? "By touch" : "Keys"),
    ...shown.map(([title, rows]) => el("section", {}, el("h3", {}, title),
      el("dl", {}, ...rows.map(([key, what]) => el("div", {}, el("dt", {}, el("kbd", {}, key)), el("dd", {}, what)))))),
    el("p", {}, "Every decision is on the disk the moment it is made; nothing needs saving."),
    el("p", {}, el("label", { for: "keys-on" }, box, " Single letters act (turn off for speech input)")),
    el("button", { type: "button", onclick: () => dialog.close() }, "Close"));
  dialog.showModal();
}
