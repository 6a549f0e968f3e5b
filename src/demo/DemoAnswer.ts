import { Effect, Stream } from "effect"
import type { ServerResponse } from "node:http"
import type { DemoRefusal, DemoRequest } from "./DemoRequest.js"

/** An answer before it is written. A stream is sent in chunks, unless `Content-Length` is among the fields. */
export interface DemoAnswer {
  readonly status: number
  readonly fields: Readonly<Record<string, string | ReadonlyArray<string>>>
  readonly body: string | Uint8Array | Stream.Stream<string | Uint8Array>
}

/** Answers the requests of a route. */
export type DemoHandler = (request: DemoRequest) => Effect.Effect<DemoAnswer, DemoRefusal>

export const textAnswer = (body: string): DemoAnswer => ({
  status: 200,
  fields: { "Content-Type": "text/plain; charset=utf-8" },
  body,
})

export const jsonAnswer = (value: unknown, status = 200, fields: DemoAnswer["fields"] = {}): DemoAnswer => ({
  status,
  fields: { "Content-Type": "application/json", ...fields },
  body: `${JSON.stringify(value, undefined, 2)}\n`,
})

/** Server-sent events (HTML, section 9.2). */
export const eventAnswer = (body: Stream.Stream<string>): DemoAnswer => ({
  status: 200,
  fields: { "Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache" },
  body,
})

export const refusalAnswer = ({ status, detail, fields }: DemoRefusal): DemoAnswer =>
  jsonAnswer({ status, error: detail }, status, fields)

/** Statuses that have no content (RFC 9110 section 6.4.1). */
const bodiless = (status: number): boolean => status === 204 || status === 304

/** Writes a chunk, and waits for `drain` if the buffer is above its high-water mark. */
const write = (response: ServerResponse, chunk: string | Uint8Array): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (response.write(chunk)) return resume(Effect.void)
    const drained = () => resume(Effect.void)
    response.once("drain", drained)
    return Effect.sync(() => response.off("drain", drained))
  })

const writeHead = (response: ServerResponse, answer: DemoAnswer, length: number | undefined): void => {
  for (const [name, value] of Object.entries(answer.fields)) response.setHeader(name, value)
  if (length !== undefined) response.setHeader("Content-Length", length)
  response.writeHead(answer.status)
}

/** Writes an answer. Interrupt it when the client disconnects, because it may wait for `drain` forever. */
export const sendAnswer = (response: ServerResponse, answer: DemoAnswer): Effect.Effect<void> => {
  const { body } = answer
  const withoutBody = response.req.method === "HEAD" || bodiless(answer.status)
  if (typeof body === "string" || body instanceof Uint8Array) {
    return Effect.sync(() => {
      writeHead(response, answer, bodiless(answer.status) ? undefined : Buffer.byteLength(body))
      response.end(withoutBody ? undefined : body)
    })
  }
  return Effect.sync(() => {
    writeHead(response, answer, undefined)
    response.flushHeaders()
  }).pipe(
    Effect.andThen(withoutBody ? Effect.void : Stream.runForEach(body, (chunk) => write(response, chunk))),
    Effect.andThen(Effect.sync(() => response.end())),
  )
}
