// The review page: puts queue, views, filters and keys together.

import { Ahead } from "./ahead.js";
import { chooseClass, showHelp } from "./dialogs.js";
import { byId, decided, el, imageAddress, name, stands } from "./dom.js";
import { evidenceOf } from "./evidence.js";
import { fillFilters, isFiltered, readFilters, setFilters } from "./filters.js";
import { Grid, TILES } from "./grid.js";
import { single } from "./single.js";
import { call, Pace, Queue, Refused } from "./state.js";
import { zoom } from "./zoom.js";

const AHEAD = 3; // images loaded before they are asked for
const LETTERS = { k: "keep", s: "suggest", c: "choose", n: "none_of_these", b: "bad_image", x: "skip" };

const keys = { on: true };
const pace = new Pace();
const preloaded = new Map();
let about;
let queue = new Queue({});
let at = 0; // place of the single view in the queue
let grid = null; // null while one image is shown
let undoable = []; // of each decision made here, its images, each with the time of its decision
let busy = false;
let ahead = null;
let alikeFrom = null; // what was shown before all alike ones were

async function start() {
  history.replaceState(null, "", "/"); // the token is used up
  about = await call("/api/about");
  undoable = about.recent.map((pair) => [pair]);
  fillFilters(byId("filters"), about, () => { endAlike(false); restart(); });
  showChanges();
  showCopies();
  ahead = new Ahead(() => {
    byId("open-ahead").hidden = false;
    byId("open-ahead").textContent = ahead.short();
    const way = byId("ways");
    if (way) way.replaceWith(waysOn());
  });
  byId("open-ahead").addEventListener("click", () => ahead.show(go, drawSample));
  byId("open-filters").addEventListener("click", toggleFilters);
  byId("mode").addEventListener("click", () => setMode(grid === null));
  byId("undo").addEventListener("click", undo);
  byId("open-help").addEventListener("click", () => showHelp(keys));
  document.addEventListener("keydown", onKey);
  await restart();
  await ahead.ask();
}

/** Begin anew with the filters as they are. */
async function restart() {
  const mine = new Queue(readFilters(byId("filters")));
  queue = mine;
  at = 0;
  if (grid) grid = new Grid(about.sides, act);
  tell(null);
  byId("toast").hidden = true;
  byId("open-filters").classList.toggle("filtered", isFiltered(byId("filters")));
  byId("open-filters").title = isFiltered(byId("filters")) ? "Filtered: not the first choice of images" : "";
  await queue.fill(TILES * 2);
  if (queue === mine) draw();
}

async function setMode(toGrid) {
  if (!toGrid && grid.tiles.length) at = queue.items.indexOf(grid.tiles[grid.at]);
  grid = toGrid ? new Grid(about.sides, act) : null;
  if (grid) grid.start = at;
  byId("mode").setAttribute("aria-pressed", String(toGrid));
  await more();
  draw();
  if (grid?.tiles.length) grid.focus(0);
}

function draw() {
  const main = byId("main");
  if (grid) {
    grid.show(queue);
    main.replaceChildren(grid.tiles.length ? grid.root : nothing());
  } else {
    const item = queue.items[at];
    const key = main.contains(document.activeElement) && document.activeElement.getAttribute("aria-keyshortcuts");
    main.replaceChildren(item ? single(item, about.sides, act) : nothing());
    if (key) (main.querySelector(`[aria-keyshortcuts="${key}"]`) ?? main).focus();
    preload(queue.items.slice(at + 1, at + 1 + AHEAD));
  }
  byId("undo").disabled = undoable.length === 0;
  const { matching, scope, decided: done } = queue.counts;
  const left = Math.max(scope - done, 0);
  byId("bar").max = Math.max(scope, 1);
  byId("bar").value = done;
  byId("count").textContent = [`${done} of ${scope} decided`, pace.left(Math.min(left, matching))].filter(Boolean).join(", ");
}

function nothing() {
  const count = queue.query.show === "todo" ? queue.counts.scope : queue.items.length; // else: of those decided so
  const seen = count === 1 ? "The one image of this filter was seen. " : `All ${count} images of this filter were seen. `;
  return el("section", { class: "nothing" },
    el("h2", {}, count ? "Nothing left to do here" : "No image fits the filter"),
    el("p", {}, count ? seen : "",
      "Change the filter to see others, or close this page: every decision is kept."),
    waysOn(), judgeAgain());
}

/** How to have the rest judged anew by what was decided, which puts more of the errors first than an order can. */
function judgeAgain() {
  return queue.counts.decided ? el("p", {}, "To judge the rest anew, with what was decided as true: ", el("code", {}, about.again)) : "";
}

/** What is left and where to go on, where nothing is left to do here. */
function waysOn() {
  return el("div", { id: "ways" }, ...(ahead?.told
    ? [...ahead.sentences().map((text) => el("p", {}, text)), ahead.ways(go, drawSample)] : []));
}

/** Show other images. */
async function go(filters) {
  byId("filters").reset();
  setFilters(byId("filters"), filters);
  endAlike(false);
  await restart();
  byId("main").focus();
}

async function drawSample(count) {
  try {
    ahead.told = await call("/api/draw", { count });
    ahead.changed();
    await go({ verdict: "sample", show: "todo" });
  } catch (error) {
    tell(error.message);
  }
}

function preload(items) {
  for (const item of items) {
    if (preloaded.has(item.id)) continue;
    const image = new Image();
    image.src = imageAddress(item.id, about.sides[1]);
    preloaded.set(item.id, image);
    evidenceOf(item.id).catch(() => {}); // the view that needs it says so
    if (preloaded.size > 4 * AHEAD) preloaded.delete(preloaded.keys().next().value);
  }
}

/** Do what a button or a key says. */
async function act(action, label) {
  byId("toast").hidden = true;
  if (action === "next" || action === "back") return step(action === "next" ? 1 : -1);
  const items = grid ? grid.chosen() : queue.items.slice(at, at + 1);
  if (!items.length) return undefined;
  if (action === "alike") return alike(items[0]);
  if (action === "zoom") return zoom(items[0], about.sides[2]);
  if (action === "suggest" && items.some((item) => !item.suggested)) return say("There is no suggestion: nothing fits better");
  if (action === "choose") {
    const chosen = await chooseClass(about.classes, items.length === 1 ? items[0].top.map(([top]) => top) : []);
    return chosen === null ? undefined : decide("label", items, chosen);
  }
  return decide(action, items, label);
}

async function decide(action, items, label) {
  if (busy) return; // a second key before the answer would be about an image that nobody has seen
  busy = true;
  try {
    const samples = items.map((item) => [item.id, item.revision]);
    const answer = await call("/api/decide", { action, samples, label: label ?? "" });
    queue.update(answer.items);
    undoable.push(answer.items.map((item) => [item.id, item.time]));
    pace.note(items.length);
    tell(null);
    toast(items.length === 1 ? `${items[0].name}: ${decided(answer.items[0])}` : `${items.length} images decided`);
    ahead.later();
    for (const item of items) item.gone = true;
    if (grid) grid.selected.clear();
    else do at += 1; while (queue.items[at]?.gone);
    await more();
    if (!grid && !queue.items[at]) await ahead.now(); // which is said then
    draw();
    if (grid?.tiles.length) grid.focus(grid.at);
  } catch (error) {
    await explain(error, items);
  } finally {
    busy = false;
  }
}

async function undo() {
  const made = undoable[undoable.length - 1];
  if (busy || !made) return;
  busy = true;
  try {
    const ids = made.map(([id]) => id);
    const now = await itemsOf(ids);
    const others = now.filter((item, place) => item.time !== made[place][1]); // another decision stands
    if (others.length) {
      queue.update(now);
      throw new Refused(`Somebody decided elsewhere in the meantime, so nothing was taken back. ${stands(others)}.`, false);
    }
    const answer = await call("/api/undo", { samples: now.map((item) => [item.id, item.revision]) });
    undoable.pop();
    queue.update(answer.items);
    for (const item of queue.items) if (ids.includes(item.id)) item.gone = false;
    const known = new Set(queue.items.map((item) => item.id));
    queue.items.splice(grid ? grid.start : at, 0, ...answer.items.filter((item) => !known.has(item.id)));
    const place = queue.items.findIndex((item) => item.id === ids[0]);
    if (grid) grid.start = Math.min(grid.start, place);
    else at = place;
    tell(null);
    byId("toast").hidden = true;
    say(`Taken back: ${answer.items.map((item) => item.name).join(", ")}`);
    ahead.later();
    draw();
  } catch (error) {
    undoable.pop();
    await explain(error, []);
  } finally {
    busy = false;
  }
}

async function itemsOf(ids) {
  const query = new URLSearchParams(ids.map((id) => ["id", id]));
  return (await call(`/api/items?${query}`)).items;
}

/** Say why something wasn't done; after a conflict, show what the others decided. */
async function explain(error, items) {
  if (!error.conflict || !items.length) {
    tell(error.message);
    draw();
    return;
  }
  const seen = new Map(items.map((item) => [item.id, item.revision]));
  const now = await itemsOf(items.map((item) => item.id));
  const changed = now.filter((item) => item.revision !== seen.get(item.id));
  queue.update(now);
  draw();
  tell(`Somebody decided elsewhere in the meantime, so nothing was saved. ${stands(changed)}. `
    + "Decide again to replace it, or go on with →.");
}

async function step(by) {
  byId("toast").hidden = true;
  if (grid) {
    const last = grid.tiles[grid.tiles.length - 1];
    grid.start = by > 0 && last ? queue.items.indexOf(last) + 1 : Math.max(0, grid.start - TILES);
    grid.at = 0;
    await more();
    if (!queue.items.slice(grid.start).some((item) => !item.gone)) grid.start = Math.max(0, grid.start - TILES);
  } else {
    at = Math.max(0, Math.min(at + by, queue.items.length));
    await more();
  }
  draw();
  if (grid?.tiles.length) grid.focus(0);
}

/** Fetch what comes next before it is needed. */
async function more() {
  if (grid) {
    const open = queue.items.slice(grid.start).filter((item) => !item.gone).length;
    if (open < TILES) await queue.fill(queue.items.length + TILES);
  } else if (at >= queue.items.length) {
    await queue.fill(at + AHEAD);
  } else if (at + 10 > queue.items.length) {
    queue.fill(at + 40).catch((error) => tell(error.message));
  }
}

async function alike(item) {
  alikeFrom ??= { filters: readFilters(byId("filters")), wasGrid: grid !== null, id: item.id };
  const chip = byId("chip");
  chip.hidden = false;
  const better = item.suggested ? ["→ ", name(item.suggested)] : ["with any suggestion"]; // none can't be asked for
  chip.replaceChildren(el("span", {}, "Only ", name(item.given || "any label"), " ", ...better),
    el("button", { type: "button", onclick: () => endAlike(true) }, "Show all again"));
  setFilters(byId("filters"), { given: item.given, suggested: item.suggested });
  grid = new Grid(about.sides, act);
  byId("mode").setAttribute("aria-pressed", "true");
  await restart();
  if (grid.tiles.length) grid.focus(0);
}

/** End showing all alike ones; `back` goes to where it began. */
async function endAlike(back) {
  const from = alikeFrom;
  alikeFrom = null;
  byId("chip").hidden = true;
  if (!from || !back) return;
  setFilters(byId("filters"), from.filters);
  if (!from.wasGrid) grid = null;
  byId("mode").setAttribute("aria-pressed", String(grid !== null));
  await restart();
  const place = queue.items.findIndex((item) => item.id === from.id);
  if (!grid && place > 0) {
    at = place;
    draw();
  }
}

/** Say what was decided where everybody sees it, with a way to take it back. */
function toast(text) {
  say(text);
  const place = byId("toast");
  place.hidden = false;
  place.replaceChildren(el("span", {}, name(text)), el("button", { type: "button", onclick: undo }, "Undo"));
  place.onclick = () => { place.hidden = true; }; // it takes as long to read as it takes, so no clock takes it away
}

function showChanges() {
  const counts = about.changes;
  if (!counts) return;
  byId("change-field").hidden = false;
  const links = [["label", counts.label === 1 ? "label changed" : "labels changed"], ["flagged", "newly flagged"], ["cleared", "no longer flagged"],
    ["set_aside", "set aside"]];
  byId("changes").hidden = false;
  byId("changes").replaceChildren(
    el("span", {}, `Since the run before (${counts.before} flagged, now ${about.flagged}):`),
    ...links.map(([kind, text]) => el("button", { type: "button", disabled: !counts[kind], onclick: () => {
      setFilters(byId("filters"), { change: kind, verdict: "all", show: "all" });
      restart();
    } }, `${counts[kind]} ${text}`)));
}

function showCopies() {
  const { any, labels } = about.duplicates;
  byId("duplicates-field").hidden = !any;
  byId("copies").hidden = !labels;
  byId("copies").replaceChildren(el("button", { type: "button", onclick: () => {
    setFilters(byId("filters"), { duplicates: "labels", verdict: "all", show: "all" });
    restart();
  } }, `${labels} images show a picture that has another label elsewhere`));
}

function toggleFilters() {
  const form = byId("filters");
  form.hidden = !form.hidden;
  byId("open-filters").setAttribute("aria-expanded", String(!form.hidden));
  if (!form.hidden) form.elements.verdict.focus();
}

function onKey(event) {
  const field = event.target.closest("input, select, textarea");
  if (document.querySelector("dialog[open]")) return;
  if (field?.getClientRects().length) { // a dialog that was just closed may still have the focus
    if (event.key !== "Escape" && !(event.key === "Enter" && field.matches("input"))) return;
    event.preventDefault(); // Chromium would empty a search on Escape
    byId("main").focus();
    return;
  }
  const undoing = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z";
  if (!undoing && (event.ctrlKey || event.metaKey || event.altKey)) return;
  if (undoing || pressed(event)) {
    event.preventDefault();
    if (undoing) undo();
  }
}

/** Act on a key; true if it is one of the page's. */
function pressed(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.key.length === 1 && key !== " " && !keys.on) return false;
  if (grid && grid.tiles.length && grid.move(event.key)) return true;
  const anywhere = { z: () => act("zoom"), g: () => setMode(grid === null), u: undo, f: toggleFilters, "/": search, "?": () => showHelp(keys) };
  const here = grid
    ? { a: () => grid.all(), PageDown: () => step(1), PageUp: () => step(-1) }
    : { a: () => act("alike"), ArrowRight: () => step(1), ArrowLeft: () => step(-1), j: () => step(1) };
  const todo = anywhere[key] ?? here[key] ?? (key in LETTERS ? () => act(LETTERS[key]) : null) ?? digit(key);
  if (key === " " && grid && !event.target.closest("button")) grid.toggle();
  else if (!todo) return false;
  else if (!event.repeat || key.startsWith("Arrow")) todo();
  return true;
}

function digit(key) {
  const place = Number(key);
  const label = place >= 1 && !grid ? queue.items[at]?.top[place - 1]?.[0] : undefined;
  return label === undefined ? null : () => act("label", label);
}

function search() {
  if (byId("filters").hidden) toggleFilters();
  byId("filters").elements.search.focus();
}

function tell(text) {
  byId("alert").hidden = !text;
  byId("alert").replaceChildren(...(text ? [name(text)] : []));
}

function say(text) {
  byId("said").textContent = text;
}

start().catch((error) => tell(error.message));
