// What live events change about lines. Pure: a line is what GET /api/v1/messages/ answers.

import { texts } from "./page.js";

/** How far a command has come; an event that arrives late never takes it back. */
const PROGRESS = { draft: 0, queued: 1, sending: 2, unknown: 3, accepted: 4 };
const FINAL = 5;
const SHORTENED = 500;

/** A customer's line out of message_received; null when the event does not tell enough to show it. */
export function lineOf(event, robotNames) {
  const data = event.data;
  const text = data.text ?? data.content;
  const id = data.messageId ?? event.messageId;
  if (!id || !text || text.length >= SHORTENED) {
    return null;
  }
  return {
    id,
    direction: "in",
    robot: event.robot,
    robotName: robotNames.get(event.robot) ?? event.robot,
    conversationId: data.conversationId ?? data.sessionId,
    room: data.room ?? data.groupName ?? "",
    roomIsGroup: data.roomIsGroup ?? Boolean(data.groupName),
    sender: data.sender ?? data.userName ?? "",
    text,
    textType: data.textType ?? 1,
    pictureText: "",
    receivedAt: data.receivedAt ?? data.timestamp ?? event.at,
    state: "processing",
    reason: "",
    intent: "",
    topic: "",
    confidence: null,
    runId: event.runId ?? null,
    command: null,
  };
}

/** The line after its intent was recognised. */
export const withIntent = (line, data) => ({
  ...line,
  intent: data.intent ?? line.intent,
  topic: data.topic ?? line.topic,
  confidence: data.confidence ?? line.confidence,
});

/** A robot's line after news of its command; null when the line has to be fetched again. */
export function withCommand(line, data) {
  const detail = data.commandDetail ?? data.state;
  if (!line.command || !texts.commands[detail]) {
    return null;
  }
  if (rank(detail) < rank(line.command.commandDetail)) {
    return line;
  }
  const reason = data.errorReason ?? data.result?.errorReason ?? line.command.errorReason;
  const command = { ...line.command, commandDetail: detail, errorReason: reason };
  return { ...line, command, state: texts.commands[detail].state };
}

const rank = (detail) => PROGRESS[detail] ?? FINAL;

/** Whether something is still to come for this line. */
export const isOpen = (line) => line.state === "processing" || line.command?.commandDetail === "accepted";
