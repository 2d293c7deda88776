// The list of cards: oldest above, newest below. Stays at the end while the reader is there; else a pill counts.

import { cardOf, update } from "./card.js";
import { byId, fill, texts } from "./page.js";

const NEAR_PX = 80;
/** Cards kept in the page while it runs for days; older ones are a page of history away. */
const MOST = 10_000;

export class Stream {
  constructor(onTop) {
    this.box = byId("stream");
    this.list = byId("lines");
    this.edge = byId("edge");
    this.pill = byId("pill");
    this.lines = new Map();
    this.cards = new Map();
    this.unseen = 0;
    this.pill.addEventListener("click", () => this.toEnd());
    this.box.addEventListener("scroll", () => this.isAtEnd() && this.clearPill(), { passive: true });
    new IntersectionObserver(([entry]) => entry.isIntersecting && onTop(), { root: this.box }).observe(
      this.edge,
    );
  }

  get isEmpty() {
    return this.lines.size === 0;
  }

  get oldest() {
    return this.list.firstElementChild?.dataset.id ?? "";
  }

  clear() {
    this.lines.clear();
    this.cards.clear();
    this.list.replaceChildren();
    this.clearPill();
    this.edge.textContent = "";
  }

  /** Insert a page of history above everything, oldest first; what the reader looks at stays in place. */
  prepend(lines) {
    const before = this.box.scrollHeight - this.box.scrollTop;
    const cards = lines.filter((line) => !this.lines.has(line.id)).map((line) => this.keep(line));
    this.list.prepend(...cards);
    this.box.scrollTop = this.box.scrollHeight - before;
  }

  /** Show lines as they are now: known ones are updated in place, new ones inserted by time. */
  put(lines) {
    const atEnd = this.isAtEnd();
    let added = 0;
    for (const line of lines) {
      if (this.lines.has(line.id)) {
        this.change(line);
      } else {
        this.insert(line);
        added += 1;
      }
    }
    if (atEnd) {
      this.trim();
      this.toEnd();
    } else if (added) {
      this.unseen += added;
      this.pill.textContent = fill(texts.new_lines, this.unseen);
      this.pill.hidden = false;
    }
  }

  change(line) {
    this.lines.set(line.id, line);
    update(this.cards.get(line.id), line);
  }

  /** Ids carry their time, so they order the list. Nearly always the newest is last: look from the end. */
  insert(line) {
    const card = this.keep(line);
    card.classList.add("line--fresh");
    let after = this.list.lastElementChild;
    while (after && after.dataset.id > line.id) {
      after = after.previousElementSibling;
    }
    if (after) {
      after.after(card);
    } else {
      this.list.prepend(card);
    }
  }

  keep(line) {
    const card = cardOf(line);
    this.lines.set(line.id, line);
    this.cards.set(line.id, card);
    return card;
  }

  trim() {
    while (this.lines.size > MOST) {
      this.lines.delete(this.oldest);
      this.cards.delete(this.oldest);
      this.list.firstElementChild.remove();
    }
  }

  isAtEnd() {
    return this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < NEAR_PX;
  }

  toEnd() {
    this.box.scrollTop = this.box.scrollHeight;
    this.clearPill();
  }

  clearPill() {
    this.unseen = 0;
    this.pill.hidden = true;
  }
}
