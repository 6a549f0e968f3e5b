import { packed, type PackedText } from "../wire/PackedText.js"

/** A field of a line: its name, in letters that JSON does not escape. */
export class AccessField {
  /** What stands before its value in JSON, a comma included: before a number, and before the characters of a text. */
  readonly beforeNumber: PackedText
  readonly beforeText: PackedText

  constructor(readonly name: string) {
    this.beforeNumber = packed(`,"${name}":`)
    this.beforeText = packed(`,"${name}":"`)
  }
}

const named = (name: string): AccessField => new AccessField(name)

/** The fields of a line, in their order. Their names are those of the admin API, too. */
export const fields = {
  time: named("time"),
  kind: named("kind"),
  id: named("id"),
  requestId: named("request_id"),
  session: named("session"),
  method: named("method"),
  target: named("target"),
  httpVersion: named("http_version"),
  host: named("host"),
  status: named("status"),
  cause: named("cause"),
  fault: named("fault"),
  reason: named("reason"),
  end: named("end"),
  client: named("client"),
  userAgent: named("user_agent"),
  bytesIn: named("bytes_in"),
  bytesOut: named("bytes_out"),
  duration: named("duration_ms"),
  firstByte: named("first_byte_ms"),
  dial: named("dial_ms"),
  queue: named("queue_ms"),
  hold: named("hold_ms"),
  serverTime: named("server_ms"),
  reused: named("reused"),
  retries: named("retries"),
  server: named("server"),
  traceId: named("trace_id"),
  code: named("code"),
  closeReason: named("close_reason"),
  closedBy: named("closed_by"),
  messagesIn: named("messages_in"),
  messagesOut: named("messages_out"),
  worker: named("worker"),
} as const

/** The names of a line's fields, in their order. */
export const accessFieldNames: ReadonlyArray<string> = Object.values(fields).map(({ name }) => name)
