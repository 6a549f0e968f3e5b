import { jsonText } from "../wire/PrintableText.js"
import { type Failure, failureOf } from "./Failure.js"
import { type QueryRule, shownField, shownHost, shownTarget, shownText } from "./Redaction.js"
import type { TrafficRecord } from "./TrafficRecord.js"

/** A record, and what is made of it once for several fields. */
interface Told {
  readonly record: TrafficRecord
  readonly failure: Failure | undefined
  readonly query: QueryRule
}

/** A value of a line. Fields that have nothing to say are left out: `undefined`, and empty text. */
export type AccessValue = string | number | boolean

interface AccessField {
  readonly name: string
  readonly of: (told: Told) => AccessValue | undefined
  /** How its value stands in JSON. */
  readonly json: (value: AccessValue) => string
}

let second = -1
let secondText = ""

/** A time in milliseconds since the epoch, in UTC (RFC 3339). Most lines are of the same second as the one before. */
export const timeText = (milliseconds: number): string => {
  const whole = Math.floor(milliseconds)
  const inSecond = ((whole % 1_000) + 1_000) % 1_000
  if (whole - inSecond !== second) {
    second = whole - inSecond
    secondText = new Date(second).toISOString().slice(0, 20)
  }
  return `${secondText}${String(inSecond).padStart(3, "0")}Z`
}

const decimals: ReadonlyArray<string> = Array.from({ length: 1_000 }, (_, thousandths) =>
  thousandths === 0 ? "" : `.${String(thousandths).padStart(3, "0").replace(/0+$/, "")}`,
)

/** A number of three places at most. What the engine makes of a fraction takes longer than the rest of a line. */
const numberText = (value: number): string => {
  const thousandths = Math.round(value * 1_000)
  if (!(thousandths >= 0 && thousandths < 2 ** 52)) return JSON.stringify(value)
  return `${Math.floor(thousandths / 1_000)}${decimals[thousandths % 1_000] ?? ""}`
}

const jsonOf = (value: AccessValue): string => {
  if (typeof value === "string") return jsonText(value)
  return typeof value === "number" ? numberText(value) : String(value)
}

/** Milliseconds to three places. */
const duration = (milliseconds: number | undefined): number | undefined =>
  milliseconds === undefined ? undefined : Math.round(milliseconds * 1_000) / 1_000

const text = (value: string | undefined): string | undefined => (value === undefined ? undefined : shownText(value))

const field = (name: string, of: AccessField["of"], json = jsonOf): AccessField => ({ name, of, json })

/** A field whose text is always a word of our own. */
const word = (name: string, of: AccessField["of"]): AccessField => field(name, of, (value) => `"${value}"`)

/** Every field of a line, in its order. Names are those of the admin API, too. */
const fields: ReadonlyArray<AccessField> = [
  word("time", ({ record }) => timeText(record.since + record.milliseconds)),
  word("kind", ({ record }) => record.kind),
  word("id", ({ record }) => record.id),
  field("request_id", ({ record }) => text(record.requestId)),
  field("session", ({ record }) => text(record.sessionId)),
  field("method", ({ record }) => shownField(record.method)),
  field("target", ({ record, query }) => shownTarget(record.target, query)),
  field("http_version", ({ record }) => shownField(record.httpVersion)),
  field("host", ({ record }) => (record.host === undefined ? undefined : shownHost(record.host))),
  field("status", ({ record }) => record.status),
  field("cause", ({ failure }) => text(failure?.cause)),
  word("fault", ({ failure }) => failure?.fault),
  field("reason", ({ failure }) => text(failure?.reason)),
  word("end", ({ record }) => record.end),
  field("client", ({ record }) => text(record.client)),
  field("user_agent", ({ record }) => (record.userAgent === undefined ? undefined : shownField(record.userAgent))),
  field("bytes_in", ({ record }) => record.bytesIn),
  field("bytes_out", ({ record }) => record.bytesOut),
  field("duration_ms", ({ record }) => duration(record.milliseconds)),
  field("first_byte_ms", ({ record }) => duration(record.times.firstByte)),
  field("dial_ms", ({ record }) => duration(record.times.dial)),
  field("queue_ms", ({ record }) => duration(record.times.queue)),
  field("server_ms", ({ record }) => duration(record.times.server)),
  field("reused", ({ record }) => record.reused),
  field("retries", ({ record }) => (record.retries === 0 ? undefined : record.retries)),
  field("server", ({ record }) => text(record.server)),
  field("trace_id", ({ record }) => text(record.traceId)),
  field("code", ({ record }) => record.webSocket?.code),
  field("close_reason", ({ record }) => text(record.webSocket?.reason)),
  word("closed_by", ({ record }) => record.webSocket?.closedBy),
  field("messages_in", ({ record }) => record.webSocket?.messagesIn),
  field("messages_out", ({ record }) => record.webSocket?.messagesOut),
]

/** Names of the fields of a line, in their order. */
export const accessFieldNames: ReadonlyArray<string> = fields.map(({ name }) => name)

const told = (record: TrafficRecord, query: QueryRule): Told => ({
  record,
  failure: record.error === undefined ? undefined : failureOf(record.error),
  query,
})

/** The same with what stands before each value in JSON: the first field is in every line. */
const jsonFields = fields.map(({ name, of, json }, index) => ({
  of,
  json,
  prefix: `${index === 0 ? "{" : ","}"${name}":`,
}))

/** The fields of a record that have something to say, in their order. */
export const accessFields = (
  record: TrafficRecord,
  query: QueryRule,
): ReadonlyArray<readonly [name: string, value: AccessValue]> => {
  const all = told(record, query)
  const found: Array<readonly [string, AccessValue]> = []
  for (const { name, of } of fields) {
    const value = of(all)
    if (value !== undefined && value !== "") found.push([name, value])
  }
  return found
}

/** A record as one line of JSON, without its line break. Numbers are numbers; any text in it is on that one line. */
export const jsonLine = (record: TrafficRecord, query: QueryRule): string => {
  const all = told(record, query)
  let line = ""
  for (const { of, json, prefix } of jsonFields) {
    const value = of(all)
    if (value !== undefined && value !== "") line += prefix + json(value)
  }
  return `${line}}`
}
