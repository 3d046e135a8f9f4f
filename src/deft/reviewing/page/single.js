// One image, large, with what can be decided about it.

import { better, button, decided, el, name, picture, told } from "./dom.js";
import { evidence } from "./evidence.js";

const SHOWN = 5;

/** The view of one image. `act` takes an action and, for "label", the class. */
export function single(item, sides, act) {
  const [why, pictures, file] = evidence(item, sides[0]);
  return el("article", { class: item.flagged ? "single doubted" : "single", "aria-label": `Image ${item.name}` },
    el("figure", {}, zoomable(item, sides[1], act),
      el("figcaption", {}, name(item.name)), file),
    el("div", { class: "facts" },
      el("div", { class: "known" },
        labels(item),
        item.error ? el("p", { class: "unread" }, name(item.error)) : null,
        why,
        history(item),
        ranking(item, act),
        pictures),
      actions(item, act)));
}

function zoomable(item, side, act) {
  const open = () => act("zoom");
  const frame = el("div", { class: "frame", title: "Click, wheel or Z: larger", onclick: open }, picture(item, side));
  frame.addEventListener("wheel", (event) => { if (event.deltaY < 0) open(); }, { passive: true });
  return frame;
}

function labels(item) {
  const kind = item.kind || (item.flagged ? "flagged" : "");
  return el("dl", { class: "labels" },
    el("div", {}, el("dt", {}, "Given label"), el("dd", { class: "given" }, name(item.given || "none"))),
    el("div", {}, el("dt", {}, "Suggestion"), el("dd", { class: "suggested" }, name(better(item)))),
    el("div", {}, el("dt", {}, "Score (low = likely wrong)"),
      el("dd", { class: item.flagged ? "flagged" : "" },
        kind ? `${told(item.score)} · ${kind}` : told(item.score))));
}

function ranking(item, act) {
  if (!item.top.length) return null;
  const rows = item.top.slice(0, SHOWN).map(([label, share], place) => {
    const fill = el("span", { class: "fill" });
    fill.style.width = `${Math.max(share * 100, 0.5)}%`;
    return el("li", {}, el("button", {
      type: "button",
      class: label === item.given ? "is-given" : "",
      "aria-keyshortcuts": place + 1,
      onclick: () => act("label", label),
    }, el("kbd", { "aria-hidden": "true" }, String(place + 1)), el("span", { class: "what" }, name(label)),
    el("span", { class: "meter", "aria-hidden": "true" }, fill), el("span", { class: "share" }, percent(share))));
  });
  return el("ol", { class: "ranking", "aria-label": "Most probable classes" }, ...rows);
}

function percent(share) {
  if (share < 0.0005) return "< 0.1 %"; // no small number looks like nothing
  return share >= 0.0995 ? `${Math.round(share * 100)} %` : `${(share * 100).toFixed(1)} %`;
}

function history(item) {
  const lines = [];
  if (item.status) {
    const when = new Date(item.time).toLocaleString();
    lines.push(el("p", { class: "decided" }, "Decided: ", el("strong", {}, name(decided(item))),
      " by ", name(item.reviewer), `, ${when}`));
  }
  const { before } = item;
  if (before) {
    const score = before.score === null ? "not judged" : `score ${told(before.score)}`;
    lines.push(el("p", { class: before.changed ? "before changed" : "before" }, "Run before: ",
      name(before.given || "no label"), `, ${before.flagged ? "flagged" : "not flagged"}, ${score}`));
  }
  return el("div", { class: "history" }, ...lines);
}

function actions(item, act) {
  return el("div", { class: "actions", role: "group", "aria-label": "Decide" },
    button(item.given ? ["Keep ", name(item.given)] : "No label", "K", () => act("keep"), { class: "keep", disabled: !item.given }),
    item.suggested
      ? button(["Change to ", name(item.suggested)], "S", () => act("suggest"), { class: "suggest" })
      : el("p", { class: "better" }, item.score === null ? "No suggestion" : "Nothing fits better"),
    button("Other class …", "C", () => act("choose")),
    button("None of these", "N", () => act("none_of_these")),
    button("Bad image", "B", () => act("bad_image")),
    button("Skip", "X", () => act("skip")),
    el("span", { class: "steps" },
      button("Back", "←", () => act("back"), { "aria-keyshortcuts": "ArrowLeft" }),
      button("Next", "→", () => act("next"), { "aria-keyshortcuts": "ArrowRight" }),
      button("All alike", "A", () => act("alike"), { title: "All with this label and this suggestion, in the grid" })));
}
