// What is left to find, and where to go on: the likeliest wrong, the least sure, a random sample.

import { button, byId, el } from "./dom.js";
import { call } from "./state.js";

const WAIT = 800; // milliseconds after a decision

/** What the server says of what is left, asked for anew some time after a decision. */
export class Ahead {
  constructor(changed) {
    this.told = null;
    this.changed = changed;
    this.waiting = 0;
  }

  async ask() {
    clearTimeout(this.waiting);
    this.waiting = 0;
    this.told = await call("/api/ahead");
    this.changed();
  }

  /** Ask, where it doesn't matter that nobody answers: the next decision says that there is no server. */
  async now() {
    await this.ask().catch(() => {});
  }

  later() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.now(), WAIT);
  }

  /** In a few words, for the top of the page. */
  short() {
    return this.told ? `about ${round(this.told.left.wrong)} wrong left` : "";
  }

  /** In full, a paragraph each. */
  sentences() {
    const { left, sample } = this.told;
    const by = { sample: "by a random sample", decisions: "by the scores and what was decided" }[left.by] ?? "by the scores";
    if (!left.images) return ["Every image that was judged has been decided about.", ...this.sampled(sample)];
    const [wrong, one] = [round(left.wrong), left.images === 1];
    const said = [one ? `One image is left that nobody has decided about; its label is wrong with a chance of ${percent(left.next_wrong)}.`
      : `About ${wrong} of the ${left.images} images that nobody has decided about ${wrong === "1" ? "has" : "have"} a wrong label `
      + `(90 % likely: ${Math.round(left.low)} to ${Math.round(left.high)}, ${by}).`];
    if (left.stop && one) said.push("You may stop here.");
    else if (left.stop) said.push(`Fewer than one of the next ${left.next} is expected to be wrong: you may stop here.`);
    else if (!one) said.push(`Of the ${left.next} with the lowest scores, about ${round(left.next_wrong)} are expected to be wrong.`);
    return [...said, ...this.sampled(sample)];
  }

  sampled(sample) {
    if (!sample?.seen) return [];
    const open = sample.open ? `; ${sample.open} of it ${sample.open === 1 ? "is" : "are"} still to be looked at` : "";
    return [`Random sample: ${sample.wrong} of ${sample.seen} wrong, so ${percent(sample.low)} to ${percent(sample.high)} `
      + `of ${sample.pool} (95 %)${open}.`];
  }

  /** The ways to go on, as buttons; `go` takes filters, `draw` a number of images. */
  ways(go, draw) {
    const { left, sample, offers } = this.told;
    const ways = [];
    if (left.unflagged) {
      ways.push(way(`${left.unflagged === 1 ? "The one that isn't" : `The ${left.unflagged} that aren't`} flagged, `
        + "likeliest wrong first by scores and decisions", () => go({ verdict: "believed", show: "todo", order: "likely" })));
    }
    if (left.images) ways.push(way("The ones that the detector is least sure of", () => go({ verdict: "all", show: "todo", order: "unsure" })));
    if (sample && sample.open) {
      ways.push(way(`The random sample: ${sample.open} of ${sample.drawn} to go`, () => go({ verdict: "sample", show: "todo" })));
    } else {
      for (const [count, share] of offers) {
        ways.push(way(`${count} at random, to know the share of wrong labels to within ${Math.round(100 * share)} points`,
          () => draw(count)));
      }
    }
    return el("div", { class: "ways" }, ...ways);
  }

  /** The dialog about what is left, with the last decision. */
  async show(go, draw) {
    if (this.waiting) await this.now();
    const dialog = byId("ahead");
    const leave = (then) => (value) => { dialog.close(); then(value); };
    dialog.replaceChildren(el("h2", { id: "ahead-title", tabindex: "-1", autofocus: true }, "What is left"),
      ...this.sentences().map((text) => el("p", {}, text)), this.ways(leave(go), leave(draw)),
      el("button", { type: "button", onclick: () => dialog.close() }, "Close"));
    dialog.showModal();
  }
}

function way(text, action) {
  return button(text, "", action, { "aria-keyshortcuts": null });
}

function round(number) {
  return number < 9.5 && number > 0 ? number.toFixed(1).replace(/\.0$/, "") : String(Math.round(number));
}

function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}
