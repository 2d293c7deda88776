// The live socket: reconnects with growing, jittered pauses and resumes where it stopped.

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
const SIGNED_OUT = 4403;
const RELOAD = 4409;

export class Live {
  /**
   * handlers: fresh() = nothing was resumed, load the history; events(list); state(name, seconds);
   * refused() = it never opened, perhaps the session is gone.
   */
  constructor(path, handlers) {
    this.path = path;
    this.handlers = handlers;
    this.cursor = "";
    this.attempts = 0;
    this.silenceMs = 40_000;
    addEventListener("online", () => this.hurry());
    addEventListener("pageshow", () => this.socket && this.hurry());
    addEventListener("pagehide", () => this.socket?.close());
    document.addEventListener("visibilitychange", () => document.hidden || this.hurry());
  }

  open() {
    clearTimeout(this.timer);
    const url = new URL(this.path, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    if (this.cursor) {
      url.searchParams.set("cursor", this.cursor);
    }
    this.handlers.state(this.attempts ? "reconnecting" : "connecting");
    const socket = new WebSocket(url);
    this.socket = socket;
    this.said = false;
    socket.onmessage = (message) => this.receive(JSON.parse(message.data));
    socket.onclose = (event) => socket === this.socket && this.closed(event.code);
    this.watch();
  }

  receive(message) {
    this.said = true;
    this.watch();
    if (message.type === "hello") {
      this.attempts = 0;
      this.silenceMs = message.heartbeatS * 2500;
      this.handlers.state("online");
      if (!message.resumed) {
        this.handlers.fresh();
      }
    }
    if (message.type === "events") {
      this.handlers.events(message.events);
    }
    // After a hello that resumes, the missed events follow: only they move the cursor.
    if (message.type !== "hello" || !message.resumed) {
      this.cursor = message.cursor;
    }
  }

  closed(code) {
    clearTimeout(this.watchdog);
    if (code === SIGNED_OUT) {
      location.reload();
      return;
    }
    if (code === RELOAD) {
      this.cursor = "";
    }
    if (!this.said) {
      this.handlers.refused();
    }
    const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.attempts);
    const pause = longest * (0.5 + Math.random() / 2);
    this.attempts += 1;
    this.handlers.state("offline", Math.ceil(pause / 1000));
    this.timer = setTimeout(() => this.open(), pause);
  }

  /** A socket that says nothing for two heartbeats is dead, whatever the browser believes. */
  watch() {
    clearTimeout(this.watchdog);
    this.watchdog = setTimeout(() => {
      const socket = this.socket;
      this.socket = null;
      socket.close();
      this.closed(0);
    }, this.silenceMs);
  }

  hurry() {
    if (this.socket?.readyState !== WebSocket.OPEN && this.socket?.readyState !== WebSocket.CONNECTING) {
      this.open();
    }
  }
}
