// The bar and the panel: robots, recent requests, dialect and faults.

import { byId, control, element, guard, isShown } from "./control.js";
import { pollOwner } from "./owner.js";

const LEDGER_ROWS = 8;
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

const state = { faults: [], faultKinds: [], ledgerLast: 0 };
let chatName = () => "";

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
  const since = Math.max(0, state.ledgerLast - LEDGER_ROWS);
  const { last, entries } = await control("GET", `ledger?since=${since}`);
  state.ledgerLast = last;
  byId("ledger").replaceChildren(...entries.slice(-LEDGER_ROWS).reverse().map(ledgerRow));
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
  byId("fault-seconds").value = kind?.seconds ? kind.seconds : "";
}

byId("fault-kind").addEventListener("change", suggestSeconds);
byId("fault-clear").addEventListener("click", () => guard(() => setFaults([])));
byId("fault-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const fault = { kind: byId("fault-kind").value, probability: Number(byId("fault-probability").value || 1) };
  if (byId("fault-seconds").value) fault.seconds = Number(byId("fault-seconds").value);
  if (byId("fault-count").value) fault.count = Number(byId("fault-count").value);
  if (byId("fault-here").checked) fault.room = chatName();
  guard(() => setFaults([...state.faults, fault]));
});

// -- life -----------------------------------------------------------------------------------------------------

// Fetches what the panel shows; `currentChat` names the chat that a fault may be narrowed to.
export async function startPanel(currentChat) {
  chatName = currentChat;
  showDialect(await control("GET", "dialect"));
}

export async function pollPanel(overview) {
  showFaultKinds(overview.faultKinds);
  showRobots(overview.robots);
  showFaults((await control("GET", "faults")).faults);
  await pollOwner();
  await pollLedger();
}
