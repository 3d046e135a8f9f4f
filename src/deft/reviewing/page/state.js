// What the page knows of the server: calls, the queue of images, and how fast the work goes.

export class Refused extends Error {
  constructor(message, conflict) {
    super(message);
    this.conflict = conflict;
  }
}

/** Ask the server; with a body, tell it. */
export async function call(path, body) {
  const options = body === undefined ? {} : {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", ...options });
  } catch {
    throw new Refused("The server doesn't answer. Start `deft review` again; every decision up to now is kept.", false);
  }
  const kind = answer.headers.get("content-type") ?? "";
  const content = kind.startsWith("application/json") ? await answer.json() : { error: await answer.text() };
  if (!answer.ok) throw new Refused(content.error, content.conflict === true);
  return content;
}

const PIECE = 60;

/** The images that a query finds, fetched piece by piece. */
export class Queue {
  constructor(query) {
    this.query = query;
    this.items = [];
    this.place = -1;
    this.complete = false;
    this.counts = { matching: 0, scope: 0, decided: 0 };
    this.coming = null;
    this.gone = 0; // how many were gone when the server counted last
    this.asOf = -1; // the last decision that the order hears: that of the first piece, so that places don't move
  }

  /** How many images fit that weren't decided here since. */
  open() {
    return this.counts.matching - (this.items.filter((item) => item.gone).length - this.gone);
  }

  /** Have at least so many images, if there are so many. */
  async fill(count) {
    while (!this.complete && this.items.length < count) {
      this.coming ??= this.fetch().finally(() => { this.coming = null; });
      await this.coming;
    }
  }

  async fetch() {
    const query = new URLSearchParams({ ...this.query, after: this.place, limit: PIECE, as_of: this.asOf });
    const page = await call(`/api/page?${query}`);
    this.asOf = page.as_of;
    this.gone = this.items.filter((item) => item.gone).length;
    this.counts = { matching: page.matching, scope: page.scope, decided: page.decided };
    const known = new Set(this.items.map((item) => item.id)); // an undo may have put one back already
    this.items.push(...page.items.filter((item) => !known.has(item.id)));
    this.complete = page.items.length < PIECE;
    if (page.items.length) this.place = page.items[page.items.length - 1].place;
  }

  /** Take in how images are now. */
  update(items) {
    const fresh = new Map(items.map((item) => [item.id, item]));
    for (const known of this.items) {
      const item = fresh.get(known.id);
      if (!item) continue;
      this.counts.decided += settled(item) - settled(known);
      Object.assign(known, item);
    }
  }
}

function settled(item) {
  return item.status && item.status !== "skipped" ? 1 : 0;
}

const LONGEST_PAUSE = 60; // seconds; a longer one was a break
const REMEMBERED = 30;

/** How long a decision takes, from the latest ones. */
export class Pace {
  constructor() {
    this.last = performance.now();
    this.each = [];
  }

  note(images) {
    const now = performance.now();
    const seconds = (now - this.last) / 1000;
    this.last = now;
    if (seconds > LONGEST_PAUSE) return;
    this.each.push(seconds / images);
    if (this.each.length > REMEMBERED) this.each.shift();
  }

  /** Time for so many more, in words; empty while nothing is known. */
  left(images) {
    if (this.each.length < 3 || images <= 0) return "";
    const sorted = [...this.each].sort((a, b) => a - b);
    const minutes = sorted[Math.floor(sorted.length / 2)] * images / 60;
    if (minutes < 1) return "less than a minute left";
    if (minutes < 90) return `about ${Math.round(minutes)} min left`;
    return `about ${(minutes / 60).toFixed(1)} h left`;
  }
}
