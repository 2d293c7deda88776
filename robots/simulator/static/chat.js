// The chat page of the simulator. Everything shown is set as text, never as markup: people may say anything.

const POLL_MS = 500;
const DEFAULT_CHAT = { kind: "room", name: "客服群" };
const KIND_LABELS = { room: "群聊", private: "私聊" };
const TEXT_TYPES = { 2: "图片", 3: "语音", 5: "视频", 9: "文件" };
const SYSTEM_LINE = 10;
const DIALECT = [
  [
    "code",
    "成功码",
    [
      [200, "200"],
      [0, "0"],
    ],
  ],
  [
    "atMe",
    "atMe",
    [
      ["string", '字符串 "true"'],
      ["bool", "布尔 true"],
      ["null", "恒为 null"],
    ],
  ],
  [
    "messageId",
    "消息编号",
    [
      ["unique", "每条唯一"],
      ["absent", "没有"],
      ["late", "稍后补发"],
      ["shared", "几条共用"],
    ],
  ],
  [
    "body",
    "消息回调",
    [
      ["json", "JSON"],
      ["form", "表单"],
    ],
  ],
  [
    "failListOnSuccess",
    "成功也带 failList",
    [
      [false, "否"],
      [true, "是"],
    ],
  ],
  [
    "resultFirst",
    "结果先于应答",
    [
      [false, "否"],
      [true, "是"],
    ],
  ],
];

const byId = (id) => document.getElementById(id);
const state = {
  token: new URLSearchParams(location.hash.slice(1)).get("token") ?? sessionStorage.getItem("token") ?? "",
  chat: DEFAULT_CHAT,
  opened: [DEFAULT_CHAT],
  since: 0,
  marks: new Map(),
  faults: [],
  faultKinds: [],
  ledgerLast: 0,
  ledgerRows: [],
};

function element(tag, className = "", text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}

// A list that did not change is left alone, so that a click never hits a node that is just being replaced.
const shown = new Map();

function isShown(name, rows) {
  const text = JSON.stringify(rows);
  if (shown.get(name) === text) return true;
  shown.set(name, text);
  return false;
}

class ControlError extends Error {}

async function control(method, path, body) {
  const answer = await fetch(`/sim/${path}`, {
    method,
    headers: { Authorization: `Bearer ${state.token}` },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (answer.status === 401) askToken();
  const payload = await answer.json();
  if (!answer.ok) throw new ControlError(payload.message);
  return payload;
}

// -- token ----------------------------------------------------------------------------------------------------

function askToken() {
  if (!byId("login").open) byId("login").showModal();
}

byId("login-form").addEventListener("submit", () => {
  state.token = byId("token").value.trim();
  sessionStorage.setItem("token", state.token);
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
  if (line.fileUrl) bubble.append(element("span", "file", line.fileUrl));
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

byId("composer").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = byId("text").value.trim();
  if (!text) return;
  byId("text").value = "";
  byId("notice").textContent = "";
  try {
    const said = await control("POST", "say", saying(text));
    state.marks.set(said.id, said);
    const node = document.querySelector(`[data-id="${said.id}"] .mark`);
    if (node) showMark(node, said);
  } catch (error) {
    byId("notice").textContent = error.message;
    byId("text").value = text;
  }
});

// -- robots, requests -----------------------------------------------------------------------------------------

function showRobots(robots) {
  const select = byId("robot");
  const chosen = select.value;
  if (select.options.length !== robots.length) {
    select.replaceChildren(
      ...robots.map((robot) => new Option(`${robot.name} · ${robot.robotId.slice(0, 10)}`, robot.robotId)),
    );
    if (robots.some((robot) => robot.robotId === chosen)) select.value = chosen;
  }
  const robot = robots.find((row) => row.robotId === select.value);
  const pill = byId("robot-state");
  const [className, text] = robotState(robot);
  pill.className = `pill ${className}`;
  pill.textContent = text;
}

function robotState(robot) {
  if (!robot) return ["bad", "尚无机器人接入"];
  if (!robot.online) return ["bad", `离线 · 排队 ${robot.waiting}`];
  if (!robot.connected) return ["bad", "未配置消息回调"];
  return ["good", robot.waiting ? `在线 · 排队 ${robot.waiting}` : "在线"];
}

function ledgerRow(entry) {
  const row = element("li");
  const ok = entry.status === 200 && [0, 200].includes(entry.code);
  const what = entry.commands.length ? entry.commands.map((command) => command.type).join(", ") : "";
  row.append(
    element("span", "", entry.at.slice(11, 19)),
    element("span", "path", `${entry.path.split("/").pop()} ${what}`),
    element(
      "span",
      ok ? "" : "bad",
      entry.status === null ? "未应答" : String(ok ? entry.status : entry.code),
    ),
  );
  row.title = entry.path;
  return row;
}

async function pollLedger() {
  const since = Math.max(0, state.ledgerLast - 8);
  const { last, entries } = await control("GET", `ledger?since=${since}`);
  state.ledgerLast = last;
  byId("ledger").replaceChildren(...entries.slice(-8).reverse().map(ledgerRow));
}

// -- dialect and faults ---------------------------------------------------------------------------------------

async function setDialect() {
  const chosen = {};
  for (const [key, , values] of DIALECT) chosen[key] = values[byId(`dialect-${key}`).selectedIndex][0];
  await control("PUT", "dialect", chosen);
}

function showDialect(dialect) {
  for (const [key, label, values] of DIALECT) {
    if (!byId(`dialect-${key}`)) {
      const caption = element("label", "", label);
      caption.htmlFor = `dialect-${key}`;
      const select = element("select");
      select.id = `dialect-${key}`;
      select.append(...values.map(([, text]) => new Option(text)));
      select.addEventListener("change", () => guard(setDialect));
      byId("dialect").append(caption, select);
    }
    byId(`dialect-${key}`).selectedIndex = values.findIndex(([value]) => value === dialect[key]);
  }
}

function showFaults(faults) {
  state.faults = faults;
  if (isShown("faults", [faults, state.faultKinds])) return;
  const items = faults.map((fault, index) => {
    const known = state.faultKinds.find((row) => row.kind === fault.kind);
    const parts = [known ? known.label : fault.kind];
    if (fault.seconds !== undefined) parts.push(`${fault.seconds} 秒`);
    if (fault.count !== undefined) parts.push(`剩 ${fault.count} 次`);
    if (fault.probability < 1) parts.push(`概率 ${fault.probability}`);
    if (fault.room) parts.push(fault.room);
    const item = element("li", "", parts.join(" · "));
    const remove = element("button", "", "×");
    remove.type = "button";
    remove.setAttribute("aria-label", `去掉 ${parts[0]}`);
    remove.addEventListener("click", () =>
      guard(() => setFaults(state.faults.filter((_, at) => at !== index))),
    );
    item.append(remove);
    return item;
  });
  byId("faults").replaceChildren(...items);
}

async function setFaults(faults) {
  showFaults((await control("POST", "faults", { faults })).faults);
}

function showFaultKinds(kinds) {
  if (state.faultKinds.length) return;
  state.faultKinds = kinds;
  byId("fault-kind").replaceChildren(...kinds.map((row) => new Option(row.label, row.kind)));
  suggestSeconds();
}

function suggestSeconds() {
  const kind = state.faultKinds.find((row) => row.kind === byId("fault-kind").value);
  byId("fault-seconds").value = kind && kind.seconds ? kind.seconds : "";
}

byId("fault-kind").addEventListener("change", suggestSeconds);
byId("fault-clear").addEventListener("click", () => guard(() => setFaults([])));
byId("fault-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const fault = { kind: byId("fault-kind").value, probability: Number(byId("fault-probability").value || 1) };
  if (byId("fault-seconds").value) fault.seconds = Number(byId("fault-seconds").value);
  if (byId("fault-count").value) fault.count = Number(byId("fault-count").value);
  if (byId("fault-here").checked) fault.room = state.chat.name;
  guard(() => setFaults([...state.faults, fault]));
});

// -- life -----------------------------------------------------------------------------------------------------

async function guard(work) {
  try {
    await work();
    byId("notice").textContent = "";
  } catch (error) {
    byId("notice").textContent = error.message;
  }
}

async function pollAround() {
  const overview = await control("GET", "overview");
  showFaultKinds(overview.faultKinds);
  showRobots(overview.robots);
  showChats(overview.chats);
  showFaults((await control("GET", "faults")).faults);
  await pollLedger();
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
  await guard(async () => showDialect(await control("GET", "dialect")));
  poll(0);
}

chooseChat(DEFAULT_CHAT);
if (state.token) start();
else askToken();
