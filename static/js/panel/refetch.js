// Fetches lines again, many in one request: those an event told too little about, and those that stay open long.

import { get } from "./api.js";
import { isOpen } from "./lines.js";
import { options } from "./page.js";

const GATHER_MS = 150;
const MOST_IDS = 50;
const LOOK_MS = 1_000;
const FIRST_LOOK_MS = 3_000;
const LONGEST_LOOK_MS = 60_000;

export class Refetch {
  /** stream: the cards; filters(): parameters that a line which is not shown yet has to match. */
  constructor(stream, filters) {
    this.stream = stream;
    this.filters = filters;
    this.ids = new Set();
    this.runs = new Set();
    this.looks = new Map();
    setInterval(() => this.lookAtOpen(), LOOK_MS);
  }

  line(id) {
    if (id) {
      this.ids.add(id);
      this.soon();
    }
  }

  /** Every line of a run: the customer's, and what the robot said or would have said. */
  run(id) {
    if (id) {
      this.runs.add(id);
      this.soon();
    }
  }

  soon() {
    this.timer ??= setTimeout(() => this.flush(), GATHER_MS);
  }

  async flush() {
    this.timer = null;
    const ids = [...this.ids].slice(0, MOST_IDS);
    const runs = [...this.runs];
    this.runs.clear();
    for (const id of ids) {
      this.ids.delete(id);
    }
    const known = ids.filter((id) => this.stream.lines.has(id));
    const unknown = ids.filter((id) => !this.stream.lines.has(id));
    await Promise.all([
      known.length && this.fetch({ ids: known.join(",") }),
      unknown.length && this.fetch({ ...this.filters(), ids: unknown.join(",") }),
      ...runs.map((run) => this.fetch({ ...this.filters(), run })),
      ...runs.map((run) => this.refreshRun(run)),
    ]);
    if (this.ids.size || this.runs.size) {
      this.soon();
    }
  }

  /** With a filter on, lines of a run that are shown already are looked at whether they still match or not. */
  async refreshRun(run) {
    if (Object.keys(this.filters()).length) {
      const shown = [...this.stream.lines.values()]
        .filter((line) => line.runId === run)
        .map((line) => line.id);
      await (shown.length && this.fetch({ ids: shown.join(",") }));
    }
  }

  async fetch(parameters) {
    try {
      const page = await get(options.messages, parameters);
      const oldest = this.stream.oldest;
      this.stream.put(page.items.toReversed().filter((line) => line.id >= oldest));
    } catch {
      // the next event or look tries again; the socket's state tells the reader that something is away
    }
  }

  /** No event tells of lines that were settled without a run: look at open ones, ever more rarely. */
  lookAtOpen() {
    const now = Date.now();
    for (const line of this.stream.lines.values()) {
      if (!isOpen(line)) {
        this.looks.delete(line.id);
        continue;
      }
      const look = this.looks.get(line.id) ?? { at: now + FIRST_LOOK_MS, pause: FIRST_LOOK_MS };
      if (look.at <= now) {
        look.pause = Math.min(look.pause * 2, LONGEST_LOOK_MS);
        look.at = now + look.pause;
        this.line(line.id);
      }
      this.looks.set(line.id, look);
    }
  }
}
