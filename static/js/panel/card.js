// One line as a card. Everything a customer or a model wrote is set as text, never as markup.

import { byId, fill, pageOf, texts } from "./page.js";

const template = byId("line-template");
const moment = new Intl.DateTimeFormat(document.documentElement.lang, {
  month: "2-digit",
  day: "2-digit",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hour12: false,
});
const hour = new Intl.DateTimeFormat(document.documentElement.lang, { timeStyle: "medium", hour12: false });

export function cardOf(line) {
  const card = template.content.firstElementChild.cloneNode(true);
  card.dataset.id = line.id;
  update(card, line);
  return card;
}

export function update(card, line) {
  const part = (name) => card.querySelector(`.line__${name}`);
  const out = line.direction === "out";
  card.classList.toggle("line--out", out);
  part("who").textContent = out ? line.robotName : line.sender;
  part("where").textContent = out ? fill(texts.to, line.sender) : whereOf(line);
  part("robot").textContent = out ? whereOf(line) : line.robotName;
  part("avatar").textContent = initial(out ? line.robotName : line.sender);
  part("avatar").style.setProperty("--hue", hue(line.sender));
  part("text").textContent = saidIn(line) || texts.text_types[line.textType] || texts.text_types[0];
  setTime(part("time"), line.receivedAt);
  setBadge(card.querySelector(".badge"), line);
  part("reason").textContent = reasonOf(line);
  part("intent").textContent = intentOf(line);
  setTag(part("tag"), line);
  setLink(part("link"), detailsOf(line));
  setLink(part("answer"), pageOf("conversation", line.conversationId));
}

/** The text, and after it what a model has seen on the line's picture. */
const saidIn = (line) =>
  [line.text, line.pictureText && fill(texts.picture, line.pictureText)].filter(Boolean).join("\n");

const whereOf = (line) => (line.roomIsGroup ? line.room : texts.private);

const initial = (name) => [...name][0] ?? "?";

const hue = (name) => [...name].reduce((sum, char) => (sum * 31 + char.codePointAt(0)) % 360, 7);

function setTime(element, text) {
  const at = new Date(text);
  const today = at.toDateString() === new Date().toDateString();
  element.textContent = (today ? hour : moment).format(at);
  element.dateTime = text;
  element.title = at.toLocaleString(document.documentElement.lang);
}

function setBadge(badge, line) {
  const text = line.command ? texts.commands[line.command.commandDetail]?.text : texts.states[line.state];
  badge.dataset.state = line.state;
  badge.firstElementChild.textContent = text ?? texts.states[line.state];
}

/** Why nothing was said, or why a sending failed; an answered line needs no explanation. */
function reasonOf(line) {
  if (line.command) {
    return line.command.errorReason ?? "";
  }
  return line.reason && line.state !== "replied" ? (texts.reasons[line.reason]?.text ?? "") : "";
}

function intentOf(line) {
  if (!line.intent) {
    return "";
  }
  const sure = line.confidence === null ? "" : fill(texts.confidence, Math.round(line.confidence * 100));
  return [texts.intents[line.intent] ?? line.intent, line.topic, sure].filter(Boolean).join(" · ");
}

function setTag(tag, line) {
  const text = line.isBackfill ? texts.backfill : line.duplicateOf ? texts.duplicate : "";
  tag.textContent = text;
  tag.hidden = !text;
}

const detailsOf = (line) =>
  (line.direction === "in" && pageOf("run", line.runId)) || pageOf("message", line.id);

function setLink(link, address) {
  link.hidden = !address;
  if (address) {
    link.href = address;
  }
}
