// Many images at once: select those that are alike, decide about all of them.

import { better, button, decided, el, name, narrowName, picture, told } from "./dom.js";

export const TILES = 24;

/** The grid over a queue. `act` takes an action; which images it is about is asked of `chosen()`. */
export class Grid {
  constructor(sides, act) {
    this.sides = sides;
    this.act = act;
    this.start = 0;
    this.tiles = [];
    this.selected = new Set();
    this.at = 0;
    this.anchor = 0; // where a range begins: the tile that was clicked last, or came into focus by a key
    this.root = el("section", { class: "grid-view", "aria-label": "Grid" });
  }

  /** Show the queue from the grid's start on; what was decided here is gone. */
  show(queue) {
    this.tiles = queue.items.slice(this.start).filter((item) => !item.gone).slice(0, TILES);
    this.at = Math.min(this.at, Math.max(this.tiles.length - 1, 0));
    const ids = new Set(this.tiles.map((item) => item.id));
    this.selected = new Set([...this.selected].filter((id) => ids.has(id)));
    this.list = el("div", { class: "grid", role: "listbox", "aria-multiselectable": "true", "aria-label": "Images" },
      ...this.tiles.map((item, place) => this.tile(item, place)));
    this.page = page(queue, this.start);
    this.bar = el("div", { class: "actions", role: "group", "aria-label": "Decide about the selected images" });
    this.root.replaceChildren(this.list, this.bar);
    this.mark();
  }

  tile(item, place) {
    return el("div", {
      role: "option", class: item.flagged ? "tile doubted" : "tile", "data-id": item.id, tabindex: "-1",
      onclick: (event) => this.click(place, event.shiftKey),
      onfocus: () => { this.at = place; this.mark(); },
    }, picture(item, this.sides[0]),
    el("span", { class: "given" }, narrowName(item.given || "no label")),
    suggestion(item),
    item.status ? el("span", { class: "said" }, name(decided(item))) : null,
    el("span", { class: "score" }, told(item.score),
      item.copies ? ` · ${item.copies.differ ? "copies with other labels" : "copies"}: ${item.copies.count}` : ""),
    el("span", { class: "file", title: item.name }, name(item.name)));
  }

  /** The images that a decision is about: the selected ones, else the one in focus. */
  chosen() {
    if (this.selected.size) return this.tiles.filter((item) => this.selected.has(item.id));
    return this.tiles.slice(this.at, this.at + 1);
  }

  click(place, range) {
    if (!range) this.anchor = place; // the focus has moved to the clicked tile by now
    const [from, to] = [Math.min(place, this.anchor), Math.max(place, this.anchor)];
    const on = range || !this.selected.has(this.tiles[place].id);
    for (const item of this.tiles.slice(from, to + 1)) {
      if (on) this.selected.add(item.id);
      else this.selected.delete(item.id);
    }
    this.focus(place);
  }

  all() {
    const none = this.selected.size === this.tiles.length;
    this.selected = new Set(none ? [] : this.tiles.map((item) => item.id));
    this.focus(this.at);
  }

  toggle() {
    if (this.tiles.length) this.click(this.at, false);
  }

  /** Move the focus by a key; true if the key was one of the grid's. */
  move(key) {
    const across = this.columns();
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across };
    if (!(key in steps)) return false;
    this.focus(Math.max(0, Math.min(this.tiles.length - 1, this.at + steps[key])));
    this.anchor = this.at;
    return true;
  }

  focus(place) {
    this.at = place;
    this.mark();
    this.list.children[place]?.focus();
  }

  columns() {
    const tiles = [...this.list.children];
    const below = tiles.findIndex((tile) => tile.offsetTop > tiles[0].offsetTop);
    return below === -1 ? Math.max(tiles.length, 1) : below;
  }

  mark() {
    [...this.list.children].forEach((tile, place) => {
      tile.setAttribute("aria-selected", String(this.selected.has(this.tiles[place].id)));
      tile.tabIndex = place === this.at ? 0 : -1;
    });
    this.bar.replaceChildren(...this.buttons());
  }

  buttons() {
    const chosen = this.chosen();
    const count = chosen.length === 1 ? "1 image" : `${chosen.length} images`;
    const same = (key) => new Set(chosen.map((item) => item[key])).size === 1;
    const given = same("given") ? ["Keep ", name(chosen[0].given || "label")] : ["Keep labels"];
    const takes = chosen.length === 1 ? ["No suggestion"] : ["Take suggestions"];
    const suggested = same("suggested") && chosen[0].suggested ? ["Change to ", name(chosen[0].suggested)] : takes;
    const { number, of } = this.page;
    const can = (key) => chosen.length > 0 && chosen.every((item) => item[key]);
    return [
      el("p", { class: "selected" }, el("strong", {}, count), this.selected.size ? " selected" : " in focus"),
      button("Select all", "A", () => this.all()),
      button(given, "K", () => this.act("keep"), { class: "keep", disabled: !can("given") }),
      button(suggested, "S", () => this.act("suggest"), { class: "suggest", disabled: !can("suggested") }),
      button("Other class …", "C", () => this.act("choose")),
      button("None of these", "N", () => this.act("none_of_these")),
      button("Bad image", "B", () => this.act("bad_image")),
      button("Skip", "X", () => this.act("skip")),
      el("div", { class: "turn" },
        el("p", { class: "pages" }, `Page ${number} of ${of}`),
        button("Page back", "PgUp", () => this.act("back"), { "aria-keyshortcuts": "PageUp", disabled: number === 1 }),
        button("Page on", "PgDn", () => this.act("next"), { "aria-keyshortcuts": "PageDown", disabled: number === of }),
      ),
    ];
  }
}

/** Which page of how many is shown; what was decided here has left its page. */
function page(queue, start) {
  const before = queue.items.slice(0, start).filter((item) => !item.gone).length;
  const all = Math.max(queue.open(), before + 1);
  return { number: Math.floor(before / TILES) + 1, of: Math.ceil(all / TILES) };
}

/** What fits better; of a label that is believed, nothing needs to be said. */
function suggestion(item) {
  if (item.suggested) return el("span", { class: "suggested" }, "→ ", narrowName(item.suggested));
  return item.flagged ? el("span", { class: "none-better" }, better(item)) : null;
}
