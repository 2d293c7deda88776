// Talks to the control interface, and what all parts of the page share.

export const byId = (id) => document.getElementById(id);

let token = new URLSearchParams(location.hash.slice(1)).get("token") ?? sessionStorage.getItem("token") ?? "";

export const hasToken = () => token !== "";

export function setToken(text) {
  token = text;
  sessionStorage.setItem("token", text);
}

export function askToken() {
  if (!byId("login").open) byId("login").showModal();
}

export function element(tag, className = "", text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}

// A list that did not change is left alone, so that a click never hits a node that is just being replaced.
const shown = new Map();

export function isShown(name, rows) {
  const text = JSON.stringify(rows);
  if (shown.get(name) === text) return true;
  shown.set(name, text);
  return false;
}

export class ControlError extends Error {}

export async function control(method, path, body) {
  const answer = await fetch(`/sim/${path}`, {
    method,
    headers: { Authorization: `Bearer ${token}` },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (answer.status === 401) askToken();
  const payload = await answer.json();
  if (!answer.ok) throw new ControlError(payload.message);
  return payload;
}

// Runs what a person asked for and shows why it failed.
export async function guard(work) {
  try {
    await work();
    byId("notice").textContent = "";
  } catch (error) {
    byId("notice").textContent = error.message;
  }
}
