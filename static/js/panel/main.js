// The business panel: history from the API, then live from the socket.

import { ApiError, get } from "./api.js";
import { Filters } from "./filters.js";
import { watchHealth } from "./health.js";
import { lineOf, withCommand, withIntent } from "./lines.js";
import { Live } from "./live.js";
import { byId, fill, options, texts } from "./page.js";
import { Refetch } from "./refetch.js";
import { watchSending } from "./sending.js";
import { Stream } from "./stream.js";
import { toast } from "./toasts.js";

const PAGE = 50;
const SOCKET_PATIENCE_MS = 1_500;

let loading = null; // the load in progress: {waiting: [events], abort}
let older = null; // cursor of the page above; null = there is none

const stream = new Stream(loadOlder);
const filters = new Filters(load);
const refetch = new Refetch(stream, () => filters.parameters);

/** Load the newest page. Events that come meanwhile wait, and are applied to what was loaded. */
async function load() {
  loading?.abort.abort();
  const mine = { waiting: loading?.waiting ?? [], abort: new AbortController() };
  loading = mine;
  stream.box.setAttribute("aria-busy", "true");
  try {
    const page = await get(options.messages, { ...filters.parameters, limit: PAGE }, mine.abort.signal);
    stream.clear();
    older = page.nextCursor;
    stream.prepend(page.items.toReversed());
    stream.toEnd();
    showEdge();
    showNotice();
  } catch (error) {
    if (error.name === "AbortError") {
      return;
    }
    stream.clear();
    showNotice(error);
  }
  loading = null;
  stream.box.setAttribute("aria-busy", "false");
  apply(mine.waiting);
}

async function loadOlder() {
  if (!older || loading || loadOlder.busy) {
    return;
  }
  loadOlder.busy = true;
  stream.edge.textContent = texts.older_loading;
  try {
    const page = await get(options.messages, { ...filters.parameters, limit: PAGE, cursor: older });
    older = page.nextCursor;
    stream.prepend(page.items.toReversed());
  } catch {
    // the next scroll to the top tries again
  }
  loadOlder.busy = false;
  showEdge();
}

function showEdge() {
  stream.edge.textContent = older || stream.isEmpty ? "" : texts.no_older;
}

function showNotice(error = null) {
  byId("failure").hidden = error === null;
  byId("empty").hidden = error !== null || !stream.isEmpty || filters.isActive;
  byId("no-match").hidden = error !== null || !stream.isEmpty || !filters.isActive;
  if (error) {
    const known = error instanceof ApiError;
    byId("failure-title").textContent = texts.load_failed;
    byId("failure-text").textContent = known ? `${error.message} ${error.wayOut}` : texts.no_network;
    byId("failure-request").textContent =
      known && error.requestId ? fill(texts.request, error.requestId) : "";
  }
}

function apply(events) {
  if (loading) {
    loading.waiting.push(...events);
    return;
  }
  const changed = new Map();
  for (const event of events) {
    const line = appliers[event.type]?.(event, (id) => changed.get(id) ?? stream.lines.get(id));
    if (line) {
      changed.set(line.id, line);
    }
  }
  if (changed.size) {
    stream.put([...changed.values()]);
    showNotice();
  }
}

/** Type -> what it makes of a line: the changed line, or nothing (and then perhaps a request for it). */
const appliers = {
  message_received(event, known) {
    const line = lineOf(event, filters.robotNames);
    if (line && !filters.isActive) {
      return known(line.id) ? null : line;
    }
    refetch.line(event.data.messageId ?? event.messageId);
  },
  intent_recognized(event, known) {
    const line = known(event.messageId ?? event.data.messageId);
    return line ? withIntent(line, event.data) : null;
  },
  message_sent: aboutCommand,
  command_sent: aboutCommand,
  command_result: aboutCommand,
  flow_completed(event) {
    refetch.run(event.runId ?? event.data.runId);
  },
  alert_triggered: toast,
  notification_sent: toast,
};

/** `event.messageId` is the robot's line; `data.messageId` may be the platform's id of the command. */
function aboutCommand(event, known) {
  const id = event.messageId ?? event.data.lineId;
  const line = known(id);
  const changed = line && withCommand(line, event.data);
  if (!changed) {
    refetch.line(id);
  }
  return changed;
}

const linkState = byId("link-state");

function showState(name, seconds) {
  linkState.dataset.state = name;
  const sentences = { online: texts.online, connecting: texts.connecting, reconnecting: texts.reconnecting };
  const sentence = sentences[name] ?? fill(texts.waiting, seconds);
  linkState.lastElementChild.textContent = sentence;
  linkState.title = sentence;
}

byId("retry").addEventListener("click", load);
// The history is loaded once the socket stands, so that nothing falls in between; without one, a little later.
const without = setTimeout(load, SOCKET_PATIENCE_MS);
new Live("/ws/panel/business", {
  fresh() {
    clearTimeout(without);
    load();
  },
  events: apply,
  state: showState,
  refused: () => get("/api/v1/me/").catch(() => {}),
}).open();
watchHealth();
watchSending();
