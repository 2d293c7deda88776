// The box on a conversation's page: shows how its lines stand, again and again, and sends without a reload.

const EVERY_MS = 1500;
const NEAR_END_PX = 40;
const part = document.querySelector("[data-talk]");
const said = document.getElementById("talk-said");
let shown = "";

const listOf = () => part.querySelector(".talk__lines");

function toEnd() {
  const list = listOf();
  list.scrollTop = list.scrollHeight;
}

/** The token of the forms is another one each time, and means the same. */
const withoutTokens = (html) => html.replace(/<input[^>]*csrfmiddlewaretoken[^>]*>/g, "");

async function refresh() {
  try {
    const answer = await fetch(part.dataset.talk, { cache: "no-store" });
    if (answer.redirected || !answer.ok) return;
    put(await answer.text());
  } catch {
    // the next look tries again
  }
}

function put(html) {
  const text = withoutTokens(html);
  if (text === shown) return;
  shown = text;
  const list = listOf();
  const wasAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_END_PX;
  const at = list.scrollTop;
  part.innerHTML = html;
  if (wasAtEnd) toEnd();
  else listOf().scrollTop = at;
}

function tell({ ok, text }) {
  said.hidden = false;
  said.dataset.ok = String(ok);
  said.textContent = text;
}

async function send(form, button) {
  button.disabled = true;
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      body: new FormData(form),
      headers: { Accept: "application/json" },
    });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    const outcome = await answer.json();
    tell(outcome);
    if (outcome.ok && "clears" in form.dataset) {
      form.querySelector(".talk__name").removeAttribute("value");
      form.reset();
      form.elements.send_id.value = outcome.sendId;
      toEnd();
    }
    await refresh();
  } catch (error) {
    // the id of the answer stays: pressing again sends it once
    tell({ ok: false, text: error.message });
  }
  button.disabled = false;
}

if (part) {
  const box = document.getElementById("talk");
  box.addEventListener("submit", (event) => {
    event.preventDefault();
    send(event.target, event.submitter ?? event.target.querySelector("button"));
  });
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.name === "text") {
      event.target.form.requestSubmit();
    }
  });
  toEnd();
  setInterval(() => document.hidden || refresh(), EVERY_MS);
}
