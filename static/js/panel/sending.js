// On top of the panel: what is stopped, by whom and why; how much of the request limit is used, and what waits.

import { get } from "./api.js";
import { byId, fill, options, pageOf, texts } from "./page.js";

const EVERY_MS = 3_000;
const NEARLY_USED = 0.9;

const banner = byId("stops");
const strip = byId("sending");
const moment = new Intl.DateTimeFormat(document.documentElement.lang, {
  month: "2-digit",
  day: "2-digit",
  hour: "2-digit",
  minute: "2-digit",
  hour12: false,
});
let shown = "[]";

async function look() {
  try {
    const sending = await get(options.sending);
    showStops(sending.stops);
    showBudget(sending);
  } catch {
    // the health strip tells that the server does not answer
  }
}

/** An alert is read out loud when it changes: the same stops are not set again. */
function showStops(stops) {
  const now = JSON.stringify(stops);
  if (now !== shown) {
    shown = now;
    banner.replaceChildren(...stops.map(stopOf));
  }
}

function stopOf(stop) {
  const row = document.createElement("p");
  row.className = "stop";
  const since = moment.format(new Date(stop.since));
  row.append(fill(texts.stopped, stop.where, since, stop.by, stop.why));
  const address = pageOf("switch", stop.id);
  if (address) {
    const link = document.createElement("a");
    link.href = address;
    link.textContent = texts.resume;
    row.append(link);
  }
  return row;
}

function showBudget({ budget, waitingCommands, waitSeconds }) {
  strip.hidden = false;
  strip.dataset.tone = !budget || budget.pausedSeconds || isNearlyUsed(budget) ? "short" : "";
  const words = [budget ? fill(texts.budget, budget.used, budget.limit) : texts.budget_unknown];
  if (budget?.pausedSeconds) {
    words.push(fill(texts.paused, Math.round(budget.pausedSeconds)));
  }
  words.push(waitOf(waitingCommands, waitSeconds));
  strip.textContent = words.join(" · ");
}

const isNearlyUsed = ({ used, limit, reserve }) => used >= (limit - reserve) * NEARLY_USED;

function waitOf(commands, seconds) {
  if (!commands) {
    return texts.nothing_waits;
  }
  return seconds === null
    ? fill(texts.commands_wait_unknown, commands)
    : fill(texts.commands_wait, commands, Math.round(seconds));
}

/** Look now and every few seconds while the page is seen. */
export function watchSending() {
  look();
  setInterval(() => document.hidden || look(), EVERY_MS);
}
