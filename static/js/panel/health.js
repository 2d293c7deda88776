// The health strip: the parts that /readyz calls slow or down, with what waits for them. Silent while all is well.

import { byId, fill, texts } from "./page.js";

const EVERY_MS = 5_000;
/** Of these parts `lag` counts what waits; of the others it is an age. */
const QUEUES = new Set(["inbound", "worker", "outbox"]);

const strip = byId("health");

async function look() {
  try {
    const answer = await fetch("/readyz", { cache: "no-store" });
    show(unwell((await answer.json()).parts));
  } catch {
    show([{ status: "down", text: texts.unreachable }]);
  }
}

function unwell(parts) {
  return Object.entries(parts)
    .filter(([, part]) => part.status !== "ok")
    .map(([name, part]) => ({ status: part.status, text: sentence(name, part), detail: part.detail }));
}

function sentence(name, part) {
  const words = [texts.parts[name] ?? name, texts.part_states[part.status]];
  if (QUEUES.has(name) && part.lag) {
    words.push(fill(texts.part_waiting, Math.round(part.lag)));
  }
  return words.join(" · ");
}

function show(parts) {
  strip.hidden = parts.length === 0;
  strip.replaceChildren(...parts.map(chip));
}

function chip({ status, text, detail = "" }) {
  const element = document.createElement("span");
  element.className = "health__part";
  element.dataset.status = status;
  element.textContent = text;
  element.title = detail;
  return element;
}

/** Look now and every few seconds while the page is seen. */
export function watchHealth() {
  look();
  setInterval(() => document.hidden || look(), EVERY_MS);
}
