// What the chosen robot's owner has set at the platform, right or wrong.

import { byId, control, element, guard } from "./control.js";

const SETTINGS = [
  [
    "openCallback",
    "消息回调",
    [
      [1, "打开"],
      [0, "关闭"],
    ],
  ],
  [
    "replyAll",
    "replyAll",
    [
      [1, "1 全部"],
      [0, "0 仅 @"],
      [-1, "-1 不推送"],
    ],
  ],
  [
    "robotKeyCheck",
    "密钥校验",
    [
      [0, "关闭"],
      [1, "开启"],
    ],
  ],
  [
    "isKnown",
    "机器人编号",
    [
      [true, "有效"],
      [false, "不存在"],
    ],
  ],
];
// The key that is asked for once the check is switched on here.
const DEMO_KEY = "demo-robot-key";

let shownFor = "";

function change(key, value) {
  const settings = { robotId: byId("robot").value, [key]: value };
  if (key === "robotKeyCheck" && value === 1) settings.robotKey = DEMO_KEY;
  return control("PUT", "robot", settings);
}

function selectOf(key, label, values) {
  const caption = element("label", "", label);
  caption.htmlFor = `owner-${key}`;
  const select = element("select");
  select.id = `owner-${key}`;
  select.append(...values.map(([, text]) => new Option(text)));
  select.addEventListener("change", () => guard(() => change(key, values[select.selectedIndex][0])));
  byId("owner").append(caption, select);
}

/** Show what is set for the chosen robot; what somebody is choosing just now stays. */
export async function pollOwner() {
  const robotId = byId("robot").value;
  if (!robotId) return;
  const set = await control("GET", `robot?${new URLSearchParams({ robotId })}`);
  if (!byId("owner").childElementCount) for (const row of SETTINGS) selectOf(...row);
  for (const [key, , values] of SETTINGS) {
    const select = byId(`owner-${key}`);
    if (shownFor === robotId && select === document.activeElement) continue;
    select.selectedIndex = values.findIndex(([value]) => value === set[key]);
  }
  byId("owner-key").textContent = set.robotKeyCheck ? `密钥：${DEMO_KEY}（在这里开启时）` : "";
  shownFor = robotId;
}

byId("owner-forget").addEventListener("click", () => guard(() => change("bindings", false)));
byId("owner-wrong").addEventListener("click", () =>
  guard(() => change("callbackUrl", "http://127.0.0.1:9/another-system/message")),
);
