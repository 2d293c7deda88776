// The page that connects a robot: fetches its two parts again and again, and presses buttons without a reload.

const SAID_MS = 6000;
const shown = new Map();
let saidUntil;

function rowsOf(root) {
  return [...root.querySelectorAll("[data-row]")];
}

/** A row that somebody is typing into stays as it is. */
function isBusy(row) {
  return [...row.querySelectorAll("input[name=value]")].some(
    (input) => input.value !== "" || input === document.activeElement,
  );
}

function put(part, html) {
  const fresh = document.createElement("template");
  fresh.innerHTML = html;
  const names = (root) =>
    rowsOf(root)
      .map((row) => row.dataset.row)
      .join();
  if (names(part) !== names(fresh.content)) {
    if (rowsOf(part).some(isBusy)) return;
    part.replaceChildren(fresh.content);
    return;
  }
  for (const row of rowsOf(fresh.content)) {
    const name = row.dataset.row;
    const text = withoutToken(row);
    const old = part.querySelector(`[data-row="${name}"]`);
    if (shown.get(name) !== text && !isBusy(old)) {
      old.replaceWith(row);
      shown.set(name, text);
    }
  }
}

/** The token of the forms is another one each time, and means the same. */
function withoutToken(row) {
  const copy = row.cloneNode(true);
  for (const input of copy.querySelectorAll("input[name=csrfmiddlewaretoken]")) input.remove();
  return copy.outerHTML;
}

async function refresh(part) {
  const answer = await fetch(part.dataset.part, { headers: { Accept: "text/html" } });
  if (answer.redirected) window.location.reload();
  else if (answer.ok) put(part, await answer.text());
}

function watch(part) {
  const turn = async () => {
    try {
      if (!document.hidden) await refresh(part);
    } catch {
      // the server is away for a moment: the next turn asks again
    }
    setTimeout(turn, Number(part.dataset.every));
  };
  turn();
}

function tell(form, outcome) {
  const said = document.getElementById("connect-said");
  said.hidden = false;
  said.dataset.ok = String(outcome.ok);
  said.textContent = outcome.text;
  if (outcome.ok) form.reset();
  clearTimeout(saidUntil);
  if (outcome.ok) saidUntil = setTimeout(() => (said.hidden = true), SAID_MS);
}

async function press(form, button) {
  button.disabled = true;
  try {
    const body = new URLSearchParams(new FormData(form));
    const answer = await fetch(form.action, {
      method: "POST",
      body,
      headers: { Accept: "application/json" },
    });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    tell(form, await answer.json());
    await Promise.all(parts.map(refresh));
  } catch (error) {
    tell(form, { ok: false, text: error.message });
  }
  button.disabled = false;
}

const parts = [...document.querySelectorAll("[data-part]")];
document.addEventListener("submit", (event) => {
  if (!event.target.matches(".connect__fix")) return;
  event.preventDefault();
  press(event.target, event.submitter ?? event.target.querySelector("button"));
});
parts.forEach(watch);
