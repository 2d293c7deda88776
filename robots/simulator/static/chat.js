// The chat page of the simulator. Everything shown is set as text, never as markup: people may say anything.

import {
  askToken,
  byId,
  ControlError,
  control,
  element,
  guard,
  hasToken,
  isShown,
  setToken,
} from "./control.js";
import { pollPanel, startPanel } from "./panel.js";

const POLL_MS = 500;
const DEFAULT_CHAT = { kind: "room", name: "客服群" };
const KIND_LABELS = { room: "群聊", private: "私聊" };
const TEXT_TYPES = { 2: "图片", 3: "语音", 5: "视频", 9: "文件" };
const PICTURE = 2;
const SYSTEM_LINE = 10;
const state = {
  chat: DEFAULT_CHAT,
  opened: [DEFAULT_CHAT],
  since: 0,
  marks: new Map(),
  pictures: new Map(),
};

// -- token ----------------------------------------------------------------------------------------------------

byId("login-form").addEventListener("submit", () => {
  setToken(byId("token").value.trim());
  start();
});

// -- chats ----------------------------------------------------------------------------------------------------

function sameChat(one, other) {
  return one.kind === other.kind && one.name === other.name;
}

function openChat(chat) {
  state.chat = chat;
  state.since = 0;
  if (!state.opened.some((known) => sameChat(known, chat))) state.opened.push(chat);
  byId("lines").replaceChildren();
  byId("chat-title").textContent = chat.name;
  byId("chat-kind").textContent = KIND_LABELS[chat.kind];
  byId("sender-field").hidden = chat.kind === "private";
  byId("mention-field").hidden = chat.kind === "private";
}

function chooseChat(chat) {
  openChat(chat);
  byId("text").focus();
}

function chatButton(chat, lastText) {
  const button = element("button", "chat");
  button.type = "button";
  button.setAttribute("aria-current", String(sameChat(chat, state.chat)));
  button.append(
    element("span", `face ${chat.kind}`, chat.name.slice(0, 1)),
    element("span", "name", chat.name),
    element("span", "last", lastText || KIND_LABELS[chat.kind]),
  );
  button.addEventListener("click", () => chooseChat(chat));
  const item = element("li");
  item.append(button);
  return item;
}

function showChats(rows) {
  const listed = rows.map((row) => ({ kind: row.kind, name: row.chat, last: row.lastText }));
  const quiet = state.opened.filter((chat) => !listed.some((row) => sameChat(row, chat)));
  const all = [...listed, ...quiet];
  if (isShown("chats", [all, state.chat])) return;
  const items = all.map((row) => chatButton({ kind: row.kind, name: row.name }, row.last));
  byId("chats").replaceChildren(...items);
}

byId("new-chat").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = byId("new-name").value.trim();
  if (!name) return;
  chooseChat({ kind: byId("new-kind").value, name });
  byId("new-name").value = "";
});

// -- lines ----------------------------------------------------------------------------------------------------

function showMark(node, mark) {
  const [className, text] = mark.delivered
    ? ["good", `✓ 已送达 · ${mark.ms} 毫秒`]
    : ["bad", mark.status ? `✗ 未送达 · 状态 ${mark.status}` : "✗ 未送达"];
  node.className = `mark ${className}`;
  node.textContent = text;
}

function fileNode(line) {
  const link = element("a", "file", line.textType === PICTURE ? "" : line.fileUrl);
  link.href = line.fileUrl;
  link.target = "_blank";
  link.rel = "noopener";
  if (line.textType === PICTURE) link.append(pictureNode(line.fileUrl, line.text));
  return link;
}

function pictureNode(address, text) {
  const picture = element("img", "picture");
  picture.src = address;
  picture.alt = text;
  return picture;
}

function lineNode(line) {
  if (line.from === "system") return element("div", "said system", line.text);
  const said = element("div", `said ${line.from}`);
  said.dataset.id = line.id;
  const content = element("div");
  const meta = element("div", "meta");
  meta.append(element("span", "", line.sender), element("span", "", line.at.slice(11, 19)));
  const bubble = element("div", "bubble");
  for (const name of line.atList) bubble.append(element("span", "at", `@${name}`));
  const type = TEXT_TYPES[line.textType];
  bubble.append(document.createTextNode(type ? `[${type}] ${line.text}` : line.text));
  if (line.fileUrl) bubble.append(fileNode(line));
  if (state.pictures.has(line.id))
    bubble.append(pictureNode(state.pictures.get(line.id), TEXT_TYPES[PICTURE]));
  const mark = element("div", "mark");
  if (state.marks.has(line.id)) showMark(mark, state.marks.get(line.id));
  content.append(meta, bubble, mark);
  said.append(element("span", `face ${line.from}`, line.sender.slice(0, 1)), content);
  return said;
}

async function pollLines() {
  const chat = state.chat;
  const query = new URLSearchParams({ room: chat.name, since: state.since });
  const { lines } = await control("GET", `transcript?${query}`);
  if (chat !== state.chat || lines.length === 0) return;
  const recalled =
    state.since > 0 && lines.some((line) => line.from === "system" && line.textType === SYSTEM_LINE);
  if (recalled) {
    openChat(chat);
    return;
  }
  const box = byId("lines");
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 60;
  const fresh = lines.filter((line) => line.id > state.since);
  box.append(...fresh.map(lineNode));
  state.since = Math.max(state.since, ...lines.map((line) => line.id));
  if (atEnd) box.scrollTop = box.scrollHeight;
}

function saying(text) {
  const { kind, name } = state.chat;
  const robotId = byId("robot").value;
  if (kind === "private") return { robotId, sender: name, text };
  const sender = byId("sender").value.trim() || "张三";
  return { robotId, sender, text, room: name, atMe: byId("mention").checked };
}

function showSaid(said) {
  state.marks.set(said.id, said);
  const node = document.querySelector(`[data-id="${said.id}"] .mark`);
  if (node) showMark(node, said);
}

async function inBase64(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const chars = Array.from(bytes, (byte) => String.fromCharCode(byte));
  return btoa(chars.join(""));
}

// The transcript keeps no pictures: this page remembers those that were sent from it.
byId("picture").addEventListener("change", () =>
  guard(async () => {
    const [file] = byId("picture").files;
    if (!file) return;
    const line = { ...saying(""), textType: PICTURE, fileBase64: await inBase64(file) };
    byId("picture").value = "";
    const said = await control("POST", "say", line);
    const address = URL.createObjectURL(file);
    state.pictures.set(said.id, address);
    const bubble = document.querySelector(`[data-id="${said.id}"] .bubble`);
    if (bubble) bubble.append(pictureNode(address, TEXT_TYPES[PICTURE]));
    showSaid(said);
  }),
);

byId("composer").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = byId("text").value.trim();
  if (!text) return;
  byId("text").value = "";
  byId("notice").textContent = "";
  try {
    const said = await control("POST", "say", saying(text));
    showSaid(said);
  } catch (error) {
    byId("notice").textContent = error.message;
    byId("text").value = text;
  }
});

// -- life -----------------------------------------------------------------------------------------------------

async function pollAround() {
  const overview = await control("GET", "overview");
  showChats(overview.chats);
  await pollPanel(overview);
}

let running = false;

async function poll(round) {
  const pill = byId("link-state");
  try {
    await pollLines();
    if (round % 2 === 0) await pollAround();
    pill.className = "pill good";
    pill.textContent = "已连接";
  } catch (error) {
    pill.className = "pill bad";
    pill.textContent = error instanceof ControlError ? "口令不对" : "连接中断";
  }
  if (byId("login").open) {
    running = false;
    return;
  }
  setTimeout(poll, POLL_MS, round + 1);
}

async function start() {
  if (running) return;
  running = true;
  await guard(() => startPanel(() => state.chat.name));
  poll(0);
}

chooseChat(DEFAULT_CHAT);
if (hasToken()) start();
else askToken();
