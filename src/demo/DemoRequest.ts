import { Data, Effect, Stream } from "effect"
import type { IncomingMessage } from "node:http"

/** The demo server refuses a request. */
export class DemoRefusal extends Data.TaggedError("DemoRefusal")<{
  readonly status: number
  readonly detail: string
  readonly fields?: Readonly<Record<string, string>>
}> {}

/** A request as the handlers see it. */
export interface DemoRequest {
  readonly method: string
  /** Raw path, without the query and without the base path of the demo server. */
  readonly path: string
  /** The text that matched the route's `{…}`; empty if the route has none. */
  readonly param: string
  readonly query: URLSearchParams
  /** The requested URL, as this server sees it. */
  readonly url: string
  /** Address of the client: the `X-Forwarded-For` field, else the address of the peer. */
  readonly origin: string
  /** Raw field pairs, flat. */
  readonly fields: ReadonlyArray<string>
  readonly header: (name: string) => string | undefined
  /** Can be run once. */
  readonly body: Stream.Stream<Uint8Array, DemoRefusal>
}

/** Base path that marks a URL as that of a demo server. Requests may use it or leave it out. */
export const basePath = "/built-in-demo"

const absoluteForm = /^https?:\/\/[^/?#]*/i
const maxWholeBody = 16 * 1024 * 1024

const pathAndQuery = (incoming: IncomingMessage): readonly [path: string, query: string] => {
  const target = (incoming.url ?? "/").replace(absoluteForm, "")
  const [, path = "", query = ""] = /^([^?]*)\??(.*)$/s.exec(target) ?? []
  const stripped = path === basePath || path.startsWith(`${basePath}/`) ? path.slice(basePath.length) : path
  return [stripped === "" ? "/" : stripped, query]
}

const firstOf = (value: string | ReadonlyArray<string> | undefined): string | undefined =>
  typeof value === "string" || value === undefined ? value : value.join(", ")

const bodyOf = (incoming: IncomingMessage): DemoRequest["body"] =>
  Stream.fromAsyncIterable<Uint8Array, DemoRefusal>(
    // A handler that stops reading must still be able to answer on this connection.
    { [Symbol.asyncIterator]: () => incoming.iterator({ destroyOnReturn: false }) },
    () => new DemoRefusal({ status: 400, detail: "The body of the request broke off." }),
  )

export const demoRequest = (incoming: IncomingMessage): DemoRequest => {
  const [path, query] = pathAndQuery(incoming)
  const header = (name: string) => firstOf(incoming.headers[name])
  return {
    method: incoming.method ?? "GET",
    path,
    param: "",
    query: new URLSearchParams(query),
    url: `http://${header("host") ?? "localhost"}${(incoming.url ?? "/").replace(absoluteForm, "")}`,
    origin: header("x-forwarded-for") ?? incoming.socket.remoteAddress ?? "",
    fields: incoming.rawHeaders,
    header,
    body: bodyOf(incoming),
  }
}

/** Reads the whole body; refuses one of more than 16 MiB. */
export const wholeBody = (request: DemoRequest): Effect.Effect<Buffer, DemoRefusal> =>
  Effect.suspend(() => {
    const chunks: Array<Uint8Array> = []
    let size = 0
    return request.body.pipe(
      Stream.runForEach((chunk) => {
        chunks.push(chunk)
        size += chunk.length
        return size > maxWholeBody ? tooLarge : Effect.void
      }),
      Effect.map(() => Buffer.concat(chunks)),
    )
  })

const tooLarge = new DemoRefusal({ status: 413, detail: `Only bodies of up to ${maxWholeBody} bytes are shown.` })

/** The numbers that a path or a query may contain. */
export interface NumberRange {
  /** Name in the refusal. */
  readonly name: string
  readonly min: number
  readonly max: number
  /** Value if the text is absent or empty; without a fallback the number is required. */
  readonly fallback?: number
  /** Default: `false`. */
  readonly fractions?: boolean
}

const wholeNumber = /^\d+$/
const decimalNumber = /^\d+(\.\d+)?$/

/** Reads a number; refuses a text that is not a number in the range. */
export const numberIn = (text: string | null, range: NumberRange): Effect.Effect<number, DemoRefusal> => {
  if ((text === null || text === "") && range.fallback !== undefined) return Effect.succeed(range.fallback)
  const pattern = range.fractions === true ? decimalNumber : wholeNumber
  const value = pattern.test(text ?? "") ? Number(text) : Number.NaN
  return value >= range.min && value <= range.max
    ? Effect.succeed(value)
    : new DemoRefusal({ status: 400, detail: `${range.name} has to be a number from ${range.min} to ${range.max}.` })
}
