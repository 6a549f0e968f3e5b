import { printable, shortened } from "../wire/PrintableText.js"
import { timeText } from "./AccessLine.js"
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
}

const units = ["kB", "MB", "GB", "TB"] as const

/** A number with one place where it is below 10, else without. */
const rounded = (value: number): string => (value < 9.95 ? value.toFixed(1).replace(/\.0$/, "") : value.toFixed(0))

/** `340 B`, `1.2 kB`, `17 MB`: units of 1,000. */
export const sizeText = (bytes: number): string => {
  let value = bytes
  let unit = "B"
  for (const next of units) {
    if (value < 999.5) break
    value /= 1_000
    unit = next
  }
  return `${unit === "B" ? String(value) : rounded(value)} ${unit}`
}

/** `0.4 ms`, `41 ms`, `1.2 s`, `3 min`, `2.5 h`. */
export const timeSpan = (milliseconds: number): string => {
  if (milliseconds < 999.5) return `${rounded(milliseconds)} ms`
  if (milliseconds < 99_500) return `${rounded(milliseconds / 1_000)} s`
  if (milliseconds < 3_600_000) return `${rounded(milliseconds / 60_000)} min`
  return `${rounded(milliseconds / 3_600_000)} h`
}

const statusPaint = (status: number, { green, red, yellow, cyan }: LinePaint): Paint => {
  if (status === 0 || status >= 500) return red
  if (status >= 400) return yellow
  return status >= 300 ? cyan : green
}

const what = ({ kind, method, target }: TrafficRecord, query: QueryRule): ReadonlyArray<string> => {
  if (kind === "refused") return ["refused"]
  const shown = shownTarget(target, query)
  return kind === "websocket" ? ["WebSocket", shown] : [shownField(method), shown]
}

const duration = ({ milliseconds, times: { firstByte } }: TrafficRecord): string =>
  firstByte === undefined
    ? timeSpan(milliseconds)
    : `${timeSpan(milliseconds)} (first byte ${timeSpan(firstByte).replace(/ ms$/, "")})`

const problem = ({ end, error }: TrafficRecord): ReadonlyArray<string> => {
  const parts = end === "complete" ? [] : [`ended by ${end}`]
  if (error === undefined) return parts
  const { cause, reason } = failureOf(error)
  return [...parts, reason === undefined ? shownText(cause) : `${shownText(cause)}: ${shownText(reason)}`]
}

const closing = ({ webSocket }: TrafficRecord): ReadonlyArray<string> => {
  if (webSocket === undefined) return []
  const { code, reason, closedBy, messagesIn, messagesOut } = webSocket
  const why = reason === "" ? "" : ` ${JSON.stringify(shortened(reason, 123))}`
  return [`closed ${code}${why} by ${closedBy}`, `${messagesIn}↑ ${messagesOut}↓ messages`]
}

/** A record as one line for people, without its line break. */
export const prettyLine = (record: TrafficRecord, { paint, brief, query }: PrettyLook): string => {
  const { bytesIn, bytesOut, client, milliseconds, requestId, reused, retries, server, since, status } = record
  const time = timeText(since + milliseconds)
  return [
    paint.dim(brief ? time.slice(11, 19) : time),
    statusPaint(status, paint)(String(status)),
    ...what(record, query).map(printable),
    duration(record),
    `↑${sizeText(bytesIn)} ↓${sizeText(bytesOut)}`,
    ...(server === undefined ? [] : [printable(shownText(server))]),
    ...(reused === true ? ["reused"] : []),
    ...(retries > 0 ? [`sent again ${retries}×`] : []),
    ...closing(record).map(printable),
    ...problem(record).map((text) => paint.yellow(printable(text))),
    paint.dim(printable(`client=${shownText(client)} request_id=${shownText(requestId)}`)),
  ].join(" ")
}
