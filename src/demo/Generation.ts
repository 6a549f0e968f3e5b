import { Chunk, DateTime, Effect, Option, Stream } from "effect"
import { randomBytes } from "node:crypto"
import { eventAnswer } from "./DemoAnswer.js"
import type { DemoAnswer, DemoHandler } from "./DemoAnswer.js"
import { numberIn } from "./DemoRequest.js"
import type { DemoRequest } from "./DemoRequest.js"
import { summary } from "./Inspection.js"

const gibibyte = 2 ** 30
const pieceSize = 65_536
const redirects = new Set([301, 302, 303, 307, 308])
const seconds = { min: 0, max: 60, fractions: true }
const binary = { "Content-Type": "application/octet-stream" }

/** `Stream.range`, but empty if the end is before the start. */
const upTo = (from: number, to: number): Stream.Stream<number> => (to < from ? Stream.empty : Stream.range(from, to))

const statusFields = (status: number): DemoAnswer["fields"] => {
  // Relative, so that it also works behind a proxy that strips a prefix.
  if (redirects.has(status)) return { Location: "../get" }
  if (status === 401) return { "WWW-Authenticate": 'Basic realm="demo"' }
  return {}
}

/** An empty answer with the requested status. */
export const answerStatus: DemoHandler = (request) =>
  numberIn(request.param, { name: "The status", min: 200, max: 599 }).pipe(
    Effect.map((status) => ({ status, fields: statusFields(status), body: "" })),
  )

/** A chain of redirects of the requested length that ends at `/get`. */
export const redirect: DemoHandler = (request) =>
  numberIn(request.param, { name: "The number of redirects", min: 1, max: 100 }).pipe(
    Effect.map((left) => ({ status: 302, fields: { Location: left === 1 ? "../get" : String(left - 1) }, body: "" })),
  )

const randomPieces = (size: number): Stream.Stream<Uint8Array> =>
  Stream.unfold(size, (left) => {
    if (left === 0) return Option.none()
    const piece = randomBytes(Math.min(left, pieceSize))
    return Option.some([piece, left - piece.length] as const)
  })

const sizeIn = (request: DemoRequest) => numberIn(request.param, { name: "The number of bytes", min: 0, max: gibibyte })

/** Random bytes with a `Content-Length`. */
export const bytes: DemoHandler = (request) =>
  Effect.map(sizeIn(request), (size) => ({
    status: 200,
    fields: { ...binary, "Content-Length": String(size) },
    body: randomPieces(size),
  }))

/** Random bytes with chunked transfer coding. */
export const streamBytes: DemoHandler = (request) =>
  Effect.map(sizeIn(request), (size) => ({ status: 200, fields: binary, body: randomPieces(size) }))

/** The request as JSON, repeated: one line each. */
export const streamLines: DemoHandler = (request) =>
  numberIn(request.param, { name: "The number of lines", min: 0, max: 10_000 }).pipe(
    Effect.map((lines) => ({
      status: 200,
      fields: { "Content-Type": "application/json" },
      body: upTo(0, lines - 1).pipe(Stream.map((id) => `${JSON.stringify({ id, ...summary(request) })}\n`)),
    })),
  )

/** `numbytes` bytes, spread over `duration` seconds, after `delay` seconds. */
export const drip: DemoHandler = ({ query }) =>
  Effect.gen(function* () {
    const size = yield* numberIn(query.get("numbytes"), { name: "numbytes", min: 1, max: 10_000, fallback: 10 })
    const duration = yield* numberIn(query.get("duration"), { ...seconds, name: "duration", fallback: 2 })
    const delay = yield* numberIn(query.get("delay"), { ...seconds, name: "delay", fallback: 0 })
    yield* Effect.sleep(delay * 1000)
    return {
      status: 200,
      fields: { ...binary, "Content-Length": String(size) },
      body: upTo(1, size).pipe(
        Stream.tap(() => Effect.sleep((duration * 1000) / size)),
        Stream.as("*"),
      ),
    }
  })

const eventText = (id: number): Effect.Effect<string> =>
  Effect.map(DateTime.now, (now) => `id: ${id}\ndata: ${JSON.stringify({ id, time: DateTime.formatIso(now) })}\n\n`)

/**
 * `count` numbered events, one every `interval` milliseconds. A client that reconnects with `Last-Event-ID` gets the
 * events after it, or 204 if there are none, which stops its reconnections. `drop` ends every answer after that many
 * events, to show this.
 */
export const events: DemoHandler = ({ query, header }) =>
  Effect.gen(function* () {
    const count = yield* numberIn(query.get("count"), { name: "count", min: 1, max: 1_000_000, fallback: 10 })
    const interval = yield* numberIn(query.get("interval"), { name: "interval", min: 0, max: 60_000, fallback: 1000 })
    const drop = yield* numberIn(query.get("drop"), { name: "drop", min: 1, max: 1_000_000, fallback: count })
    const last = header("last-event-id") ?? ""
    const first = /^\d{1,7}$/.test(last) ? Number(last) + 1 : 1
    if (first > count) return { status: 204, fields: {}, body: "" }
    return eventAnswer(
      upTo(first, Math.min(count, first + drop - 1)).pipe(
        Stream.mapEffect((id) => Effect.delay(eventText(id), id === first ? 0 : interval)),
        Stream.prepend(Chunk.of("retry: 500\n\n")),
      ),
    )
  })
