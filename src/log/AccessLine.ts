import { failureOf } from "../telemetry/Failure.js"
import { type QueryRule, shownField, shownTarget, shownText, withoutUserInfo } from "../telemetry/Redaction.js"
import type { TrafficError, TrafficRecord, WebSocketRecord } from "../telemetry/TrafficRecord.js"

/** Names of the fields of a line, in their order. Those of the admin API are the same. */
export const accessFieldNames = [
  "time",
  "kind",
  "id",
  "request_id",
  "session",
  "method",
  "target",
  "http_version",
  "host",
  "status",
  "cause",
  "fault",
  "reason",
  "end",
  "client",
  "user_agent",
  "bytes_in",
  "bytes_out",
  "duration_ms",
  "first_byte_ms",
  "dial_ms",
  "queue_ms",
  "server_ms",
  "reused",
  "retries",
  "server",
  "trace_id",
  "code",
  "close_reason",
  "closed_by",
  "messages_in",
  "messages_out",
] as const

export type AccessFieldName = (typeof accessFieldNames)[number]

/** How a text is shown that somebody else may have chosen: what is in ASCII, and not long, is shown as it is. */
export type Shown = typeof shownText

/** Takes the fields of a record one by one. Those that have nothing to say, which are `undefined` or empty, it leaves out. */
export interface FieldTaker {
  /** A word of our own: letters, digits and what else needs no escape. */
  word(name: AccessFieldName, value: string): void
  /** A text that somebody else may have chosen. */
  text(name: AccessFieldName, value: string | undefined, shown: Shown): void
  /** A whole number that is not negative. */
  number(name: AccessFieldName, value: number | undefined): void
  milliseconds(name: AccessFieldName, value: number | undefined): void
  flag(name: AccessFieldName, value: boolean | undefined): void
}

let second = -1
let secondText = ""
let millisecond = Number.NaN
let millisecondText = ""

const threeDigits: ReadonlyArray<string> = Array.from({ length: 1_000 }, (_, value) => String(value).padStart(3, "0"))

/** A time in milliseconds since the epoch, in UTC (RFC 3339). Most lines are of the same second, or millisecond, as the one before. */
export const timeText = (milliseconds: number): string => {
  const whole = Math.floor(milliseconds)
  if (whole === millisecond) return millisecondText
  const inSecond = ((whole % 1_000) + 1_000) % 1_000
  if (whole - inSecond !== second) {
    second = whole - inSecond
    secondText = new Date(second).toISOString().slice(0, 20)
  }
  millisecond = whole
  millisecondText = `${secondText}${threeDigits[inSecond] ?? ""}Z`
  return millisecondText
}

/**
 * Tells every field of a record, in order. One function of plain calls: a table of functions, one a field, took as long
 * again as everything else about a line.
 */
export const tellFields = (record: TrafficRecord, query: QueryRule, into: FieldTaker): void => {
  const { error, times, webSocket } = record
  into.word("time", timeText(record.since + record.milliseconds))
  into.word("kind", record.kind)
  into.word("id", record.id)
  into.text("request_id", record.requestId, shownText)
  into.text("session", record.sessionId, shownText)
  into.text("method", record.method, shownField)
  into.text("target", shownTarget(record.target, query), alreadyShown)
  into.text("http_version", record.httpVersion, shownField)
  into.text("host", record.host === undefined ? undefined : withoutUserInfo(record.host), shownField)
  into.number("status", record.status)
  if (error !== undefined) tellFailure(error, into)
  into.word("end", record.end)
  into.text("client", record.client, shownText)
  into.text("user_agent", record.userAgent, shownField)
  into.number("bytes_in", record.bytesIn)
  into.number("bytes_out", record.bytesOut)
  into.milliseconds("duration_ms", record.milliseconds)
  into.milliseconds("first_byte_ms", times.firstByte)
  into.milliseconds("dial_ms", times.dial)
  into.milliseconds("queue_ms", times.queue)
  into.milliseconds("server_ms", times.server)
  into.flag("reused", record.reused)
  into.number("retries", record.retries === 0 ? undefined : record.retries)
  into.text("server", record.server, shownText)
  into.text("trace_id", record.traceId, shownText)
  if (webSocket !== undefined) tellWebSocket(webSocket, into)
}

const alreadyShown: Shown = (text) => text

const tellFailure = (error: TrafficError, into: FieldTaker): void => {
  const { cause, fault, reason } = failureOf(error)
  into.text("cause", cause, shownText)
  into.word("fault", fault)
  into.text("reason", reason, shownText)
}

const tellWebSocket = (socket: WebSocketRecord, into: FieldTaker): void => {
  into.number("code", socket.code)
  into.text("close_reason", socket.reason, shownText)
  into.word("closed_by", socket.closedBy)
  into.number("messages_in", socket.messagesIn)
  into.number("messages_out", socket.messagesOut)
}

/** A value of a line. */
export type AccessValue = string | number | boolean

/** Gathers fields as pairs. */
class FieldPairs implements FieldTaker {
  readonly pairs: Array<readonly [name: AccessFieldName, value: AccessValue]> = []
  readonly word = this.take.bind(this)
  readonly number = this.word
  readonly flag = this.word

  text(name: AccessFieldName, value: string | undefined, shown: Shown): void {
    if (value !== undefined) this.take(name, shown(value))
  }

  milliseconds(name: AccessFieldName, value: number | undefined): void {
    if (value !== undefined) this.take(name, Math.round(value * 1_000) / 1_000)
  }

  private take(name: AccessFieldName, value: AccessValue | undefined): void {
    if (value !== undefined && value !== "") this.pairs.push([name, value])
  }
}

/** The fields of a record that have something to say, in their order. */
export const accessFields = (
  record: TrafficRecord,
  query: QueryRule,
): ReadonlyArray<readonly [name: AccessFieldName, value: AccessValue]> => {
  const found = new FieldPairs()
  tellFields(record, query, found)
  return found.pairs
}
