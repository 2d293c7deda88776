// Alerts that pop up. One toast per alert: what comes later changes it.

import { byId, fill, pageOf, texts } from "./page.js";

const SHOWN_MS = 12_000;
const MOST = 4;

const box = byId("toasts");
const template = byId("toast-template");

/** alert_triggered, or an in_app notification (the only channel whose message is this very toast). */
export function toast(event) {
  const data = event.data;
  if (event.type === "notification_sent" && data.channel !== "in_app") {
    return;
  }
  const known = [...box.children].find((one) => one.dataset.alert === data.alertId);
  const element = known ?? template.content.firstElementChild.cloneNode(true);
  fillIn(element, data);
  if (!known) {
    element.dataset.alert = data.alertId;
    element.querySelector(".toast__close").addEventListener("click", () => element.remove());
    box.append(element);
    while (box.children.length > MOST) {
      box.firstElementChild.remove();
    }
  }
  leaveLater(element);
}

function fillIn(element, data) {
  const part = (name) => element.querySelector(`.toast__${name}`);
  const level = data.alertLevel ?? data.level ?? "info";
  const address = pageOf("alert", data.alertId);
  element.dataset.level = level;
  element.setAttribute("role", level === "critical" ? "alert" : "status");
  part("level").textContent = texts.levels[level] ?? texts.levels.info;
  part("title").textContent = data.title ?? data.text ?? "";
  part("where").textContent = [data.userName, data.groupName ?? data.room].filter(Boolean).join(" · ");
  if (data.count > 1) {
    part("count").textContent = fill(texts.times, data.count);
  }
  part("link").hidden = !address;
  if (address) {
    part("link").href = address;
  }
}

/** A critical one stays until somebody has read it, any other while the pointer or the focus is on it. */
function leaveLater(element) {
  clearTimeout(element.timer);
  if (element.dataset.level === "critical") {
    return;
  }
  element.timer = setTimeout(() => {
    if (element.matches(":hover, :focus-within")) {
      leaveLater(element);
    } else {
      element.remove();
    }
  }, SHOWN_MS);
}
