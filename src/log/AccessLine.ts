import { type AccessField, fields } from "./AccessField.js"
import { failureOf } from "../telemetry/Failure.js"
import { type QueryRule, shownField, shownTarget, shownText, withoutUserInfo } from "../telemetry/Redaction.js"
import type { TrafficError, TrafficRecord, WebSocketRecord } from "../telemetry/TrafficRecord.js"

/** How a text is shown that somebody else may have chosen: what is in ASCII, and not long, is shown as it is. */
export type Shown = typeof shownText

/** Takes the fields of a record one by one. Those that have nothing to say, which are `undefined` or empty, it leaves out. */
export interface FieldTaker {
  /** A moment, in milliseconds since the epoch. */
  time(field: AccessField, milliseconds: number): void
  /** A word of our own: letters, digits and what else needs no escape. */
  word(field: AccessField, value: string): void
  /** A text that somebody else may have chosen. */
  text(field: AccessField, value: string | undefined, shown: Shown): void
  /** A whole number that is not negative. */
  number(field: AccessField, value: number | undefined): void
  milliseconds(field: AccessField, value: number | undefined): void
  flag(field: AccessField, value: boolean | undefined): void
}

/** The milliseconds of a second, as three digits. */
export const threeDigits: ReadonlyArray<string> = Array.from({ length: 1_000 }, (_, value) =>
  String(value).padStart(3, "0"),
)

/** How many of so many milliseconds since the epoch, a whole number, are those of its second. */
export const inSecond = (whole: number): number => ((whole % 1_000) + 1_000) % 1_000

/** The second that begins so many milliseconds since the epoch, in UTC (RFC 3339), up to the point before its milliseconds. */
export const secondText = (second: number): string => new Date(second).toISOString().slice(0, 20)

let second = -1
let textOfSecond = ""

/** A time in milliseconds since the epoch, in UTC (RFC 3339). Most lines are of the same second as the one before. */
export const timeText = (milliseconds: number): string => {
  const whole = Math.floor(milliseconds)
  const rest = inSecond(whole)
  if (whole - rest !== second) {
    second = whole - rest
    textOfSecond = secondText(second)
  }
  return `${textOfSecond}${threeDigits[rest] ?? ""}Z`
}

/**
 * Tells every field of a record, in order. One function of plain calls: a table of functions, one a field, took as long
 * again as everything else about a line.
 */
export const tellFields = (record: TrafficRecord, query: QueryRule, into: FieldTaker): void => {
  const { error, times, webSocket } = record
  into.time(fields.time, record.since + record.milliseconds)
  into.word(fields.kind, record.kind)
  into.word(fields.id, record.id)
  into.text(fields.requestId, record.requestId, shownText)
  into.text(fields.session, record.sessionId, shownText)
  into.text(fields.method, record.method, shownField)
  into.text(fields.target, shownTarget(record.target, query), alreadyShown)
  into.text(fields.httpVersion, record.httpVersion, shownField)
  into.text(fields.host, record.host === undefined ? undefined : withoutUserInfo(record.host), shownField)
  into.number(fields.status, record.status)
  if (error !== undefined) tellFailure(error, into)
  into.word(fields.end, record.end)
  into.text(fields.client, record.client, shownText)
  into.text(fields.userAgent, record.userAgent, shownField)
  into.number(fields.bytesIn, record.bytesIn)
  into.number(fields.bytesOut, record.bytesOut)
  into.milliseconds(fields.duration, record.milliseconds)
  into.milliseconds(fields.firstByte, times.firstByte)
  into.milliseconds(fields.dial, times.dial)
  into.milliseconds(fields.queue, times.queue)
  into.milliseconds(fields.hold, times.hold)
  into.milliseconds(fields.serverTime, times.server)
  into.flag(fields.reused, record.reused)
  into.number(fields.retries, record.retries === 0 ? undefined : record.retries)
  into.text(fields.server, record.server, shownText)
  into.text(fields.traceId, record.traceId, shownText)
  if (webSocket !== undefined) tellWebSocket(webSocket, into)
}

const alreadyShown: Shown = (text) => text

const tellFailure = (error: TrafficError, into: FieldTaker): void => {
  const { cause, fault, reason } = failureOf(error)
  into.text(fields.cause, cause, shownText)
  into.word(fields.fault, fault)
  into.text(fields.reason, reason, shownText)
}

const tellWebSocket = (socket: WebSocketRecord, into: FieldTaker): void => {
  into.number(fields.code, socket.code)
  into.text(fields.closeReason, socket.reason, shownText)
  into.word(fields.closedBy, socket.closedBy)
  into.number(fields.messagesIn, socket.messagesIn)
  into.number(fields.messagesOut, socket.messagesOut)
}

/** A value of a line. */
export type AccessValue = string | number | boolean

/** Gathers fields as pairs. */
class FieldPairs implements FieldTaker {
  readonly pairs: Array<readonly [name: string, value: AccessValue]> = []
  readonly word = this.take.bind(this)
  readonly number = this.word
  readonly flag = this.word

  time(field: AccessField, milliseconds: number): void {
    this.take(field, timeText(milliseconds))
  }

  text(field: AccessField, value: string | undefined, shown: Shown): void {
    if (value !== undefined) this.take(field, shown(value))
  }

  milliseconds(field: AccessField, value: number | undefined): void {
    if (value !== undefined) this.take(field, Math.round(value * 1_000) / 1_000)
  }

  private take({ name }: AccessField, value: AccessValue | undefined): void {
    if (value !== undefined && value !== "") this.pairs.push([name, value])
  }
}

/** The fields of a record that have something to say, in their order. */
export const accessFields = (
  record: TrafficRecord,
  query: QueryRule,
): ReadonlyArray<readonly [name: string, value: AccessValue]> => {
  const found = new FieldPairs()
  tellFields(record, query, found)
  return found.pairs
}
