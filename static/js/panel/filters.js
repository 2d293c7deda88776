// The filter bar: its values are the parameters of the API and of the address, so that a view can be passed on.

import { get } from "./api.js";
import { byId, options } from "./page.js";

const NARROW = matchMedia("(max-width: 760px)");
const MOMENTS = ["since", "until"];

export class Filters {
  constructor(onChange) {
    this.form = byId("filters");
    this.onChange = onChange;
    this.wanted = new URLSearchParams(location.search);
    this.restore();
    byId("filter-box").open = !NARROW.matches || this.isActive;
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.apply();
    });
    this.form.addEventListener("reset", () => setTimeout(() => this.apply()));
    this.form.elements.robot.addEventListener("change", () => this.loadRooms());
    for (const select of this.form.querySelectorAll("select")) {
      select.addEventListener("change", () => this.apply());
    }
    this.loadRooms();
  }

  get isActive() {
    return Object.keys(this.parameters).length > 0;
  }

  get robotNames() {
    return new Map([...this.form.elements.robot.options].map((option) => [option.value, option.text]));
  }

  restore() {
    for (const [name, value] of this.wanted) {
      if (this.form.elements[name]) {
        this.form.elements[name].value = value;
      }
    }
    this.parameters = this.read();
  }

  read() {
    const entries = [...new FormData(this.form)].filter(([, value]) => value);
    return Object.fromEntries(
      entries.map(([name, value]) => [name, MOMENTS.includes(name) ? new Date(value).toISOString() : value]),
    );
  }

  apply() {
    this.parameters = this.read();
    const shown = new URLSearchParams([...new FormData(this.form)].filter(([, value]) => value));
    history.replaceState(null, "", shown.size ? `?${shown}` : location.pathname);
    this.onChange();
  }

  /** The groups of the chosen robot. A list that cannot be loaded leaves the choice as it is. */
  async loadRooms() {
    const select = this.form.elements.room;
    const page = await get(options.rooms, { robot: this.form.elements.robot.value, limit: 200 }).catch(
      () => null,
    );
    if (page === null) {
      return;
    }
    const chosen = select.value || this.wanted.get("room");
    const rooms = page.items.toSorted((a, b) => a.name.localeCompare(b.name, document.documentElement.lang));
    select.replaceChildren(select.options[0], ...rooms.map((room) => new Option(room.name, room.id)));
    select.value = rooms.some((room) => room.id === chosen) ? chosen : "";
    if (select.value && !this.parameters.room) {
      this.apply();
    }
  }
}
