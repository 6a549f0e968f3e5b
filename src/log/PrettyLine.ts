import { printable, shortened } from "../wire/PrintableText.js"
import { timeText } from "./AccessLine.js"
import { sizeText, timeSpan } from "./Amounts.js"
import { failureOf } from "../telemetry/Failure.js"
import { type QueryRule, shownField, shownTarget, shownText } from "../telemetry/Redaction.js"
import type { TrafficRecord } from "../telemetry/TrafficRecord.js"

type Paint = (text: string) => string

/** How the parts of a line are marked; on what is no terminal, not at all. */
export interface LinePaint {
  readonly dim: Paint
  readonly red: Paint
  readonly green: Paint
  readonly yellow: Paint
  readonly cyan: Paint
}

/** What a line for people looks like. `brief`: with the time of day alone. */
export interface PrettyLook {
  readonly paint: LinePaint
  readonly brief: boolean
  readonly query: QueryRule
  /** The number of this process among those that write to one log. */
  readonly worker?: number | undefined
}

const statusPaint = (status: number, { green, red, yellow, cyan }: LinePaint): Paint => {
  if (status === 0 || status >= 500) return red
  if (status >= 400) return yellow
  return status >= 300 ? cyan : green
}

/** A record as it may be shown, by the names that its fields have in the access log in JSON. */
export interface ShownRecord {
  readonly time: string
  readonly kind: string
  readonly status: number
  readonly duration_ms: number
  readonly end: string
  readonly client: string
  readonly request_id: string
  readonly bytes_in: number
  readonly bytes_out: number
  readonly method?: string | undefined
  readonly target?: string | undefined
  readonly first_byte_ms?: number | undefined
  readonly hold_ms?: number | undefined
  readonly server?: string | undefined
  readonly reused?: boolean | undefined
  readonly retries?: number | undefined
  readonly cause?: string | undefined
  readonly reason?: string | undefined
  /** Of a WebSocket. */
  readonly code?: number | undefined
  readonly close_reason?: string | undefined
  readonly closed_by?: string | undefined
  readonly messages_in?: number | undefined
  readonly messages_out?: number | undefined
}

const what = ({ kind, method = "", target = "" }: ShownRecord): ReadonlyArray<string> => {
  if (kind === "refused") return ["refused"]
  return kind === "websocket" ? ["WebSocket", target] : [method, target]
}

const duration = ({ duration_ms, first_byte_ms }: ShownRecord): string =>
  first_byte_ms === undefined
    ? timeSpan(duration_ms)
    : `${timeSpan(duration_ms)} (first byte ${timeSpan(first_byte_ms).replace(/ ms$/, "")})`

const problem = ({ cause, end, reason }: ShownRecord): ReadonlyArray<string> => {
  const parts = end === "complete" ? [] : [`ended by ${end}`]
  if (cause === undefined) return parts
  return [...parts, reason === undefined ? cause : `${cause}: ${reason}`]
}

const closing = (shown: ShownRecord): ReadonlyArray<string> => {
  const { close_reason: reason = "", closed_by, code, messages_in = 0, messages_out = 0 } = shown
  if (code === undefined) return []
  const why = reason === "" ? "" : ` ${JSON.stringify(shortened(reason, 123))}`
  return [`closed ${code}${why} by ${closed_by}`, `${messages_in}↑ ${messages_out}↓ messages`]
}

/** What may be shown as one line for people, without its line break. */
export const prettyText = (shown: ShownRecord, { brief, paint, worker }: Omit<PrettyLook, "query">): string => {
  const { bytes_in, bytes_out, client, hold_ms, request_id, retries = 0, reused, server, status, time } = shown
  return [
    paint.dim(brief ? time.slice(11, 19) : time),
    statusPaint(status, paint)(String(status)),
    ...what(shown).map(printable),
    duration(shown),
    ...(hold_ms === undefined ? [] : [`held ${timeSpan(hold_ms)}`]),
    `↑${sizeText(bytes_in)} ↓${sizeText(bytes_out)}`,
    ...(server === undefined ? [] : [printable(server)]),
    ...(reused === true ? ["reused"] : []),
    ...(retries > 0 ? [`sent again ${retries}×`] : []),
    ...closing(shown).map(printable),
    ...problem(shown).map((text) => paint.yellow(printable(text))),
    paint.dim(printable(`client=${client} request_id=${request_id}`)),
    ...(worker === undefined ? [] : [paint.dim(`worker=${worker}`)]),
  ].join(" ")
}

const shownOf = (record: TrafficRecord, query: QueryRule): ShownRecord => {
  const { error, server, webSocket } = record
  const failure = error === undefined ? undefined : failureOf(error)
  return {
    time: timeText(record.since + record.milliseconds),
    kind: record.kind,
    status: record.status,
    duration_ms: record.milliseconds,
    end: record.end,
    client: shownText(record.client),
    request_id: shownText(record.requestId),
    bytes_in: record.bytesIn,
    bytes_out: record.bytesOut,
    method: shownField(record.method),
    target: shownTarget(record.target, query),
    first_byte_ms: record.times.firstByte,
    hold_ms: record.times.hold,
    server: server === undefined ? undefined : shownText(server),
    reused: record.reused,
    retries: record.retries,
    cause: failure === undefined ? undefined : shownText(failure.cause),
    reason: failure?.reason === undefined ? undefined : shownText(failure.reason),
    code: webSocket?.code,
    close_reason: webSocket?.reason,
    closed_by: webSocket?.closedBy,
    messages_in: webSocket?.messagesIn,
    messages_out: webSocket?.messagesOut,
  }
}

/** A record as one line for people, without its line break. */
export const prettyLine = (record: TrafficRecord, look: PrettyLook): string =>
  prettyText(shownOf(record, look.query), look)
