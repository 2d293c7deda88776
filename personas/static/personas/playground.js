// The playground: asks both sides at once, counts the seconds while they think, and says how to go on when one fails.

const form = document.getElementById("playground");
const SIDES = ["left", "right"];

function place(side) {
  return document.getElementById(`outcome-${side}`);
}

function say(box, text) {
  const told = document.createElement("p");
  told.className = "prompt-box prompt__warning";
  told.textContent = text;
  box.replaceChildren(told);
}

/** Show the seconds that a side has taken so far; returns how to stop that. */
function countSeconds(box) {
  const began = performance.now();
  const show = () => {
    const seconds = Math.round((performance.now() - began) / 1000);
    box.dataset.progress = `${form.dataset.asking} ${seconds} ${form.dataset.seconds}`;
  };
  show();
  box.setAttribute("aria-busy", "true");
  const timer = setInterval(show, 1000);
  return () => {
    clearInterval(timer);
    box.removeAttribute("aria-busy");
  };
}

async function ask(side, body) {
  const box = place(side);
  box.replaceChildren();
  const stop = countSeconds(box);
  if (side === "left") box.scrollIntoView({ block: "nearest" });
  try {
    const answer = await fetch(form.dataset[side], { method: "POST", body });
    if (answer.redirected || answer.status === 403) say(box, form.dataset.signedOut);
    else if (answer.ok || answer.status === 422)
      box.innerHTML = answer.status === 204 ? "" : await answer.text();
    else say(box, form.dataset.failed);
  } catch {
    say(box, form.dataset.failed);
  } finally {
    stop();
  }
  if (side === "left") box.scrollIntoView({ block: "start", behavior: "smooth" });
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button[type=submit]");
  button.disabled = true;
  const body = new FormData(form);
  await Promise.all(
    SIDES.map((side) =>
      side === "left" || body.get("right_model") ? ask(side, body) : place(side).replaceChildren(),
    ),
  );
  button.disabled = false;
});
