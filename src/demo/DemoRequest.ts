import { Data, Effect, Stream } from "effect"
import type { IncomingMessage } from "node:http"

/** Why the demo server does not do what it was asked to. */
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
  /** What stands in the place of the route's `{…}`; empty where it has none. */
  readonly param: string
  readonly query: URLSearchParams
  /** The URL that was asked for, as this server sees it. */
  readonly url: string
  /** Address of whoever asked: what a proxy says of it, else the peer. */
  readonly origin: string
  /** Raw field pairs, flat. */
  readonly fields: ReadonlyArray<string>
  readonly header: (name: string) => string | undefined
  /** To be run once. */
  readonly body: Stream.Stream<Uint8Array, DemoRefusal>
}

/** A base path that marks a URL as this server's; paths are understood with and without it. */
export const basePath = "/built-in-demo"

const absoluteForm = /^https?:\/\/[^/?#]*/i
const maxKeptBody = 16 * 1024 * 1024

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
    // A handler that stops reading must still be able to answer.
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

/** The body as a whole; refuses one of more than 16 MiB. */
export const wholeBody = (request: DemoRequest): Effect.Effect<Buffer, DemoRefusal> =>
  Effect.suspend(() => {
    const chunks: Array<Uint8Array> = []
    let size = 0
    return request.body.pipe(
      Stream.runForEach((chunk) => {
        chunks.push(chunk)
        size += chunk.length
        return size > maxKeptBody ? tooLarge : Effect.void
      }),
      Effect.map(() => Buffer.concat(chunks)),
    )
  })

const tooLarge = new DemoRefusal({ status: 413, detail: `Only bodies of up to ${maxKeptBody} bytes are shown.` })

/** A number that a path or a query may give. */
export interface NumberRange {
  /** For the refusal. */
  readonly name: string
  readonly min: number
  readonly max: number
  /** Where none is given; without it one has to be. */
  readonly fallback?: number
  /** Default: `false`. */
  readonly fractions?: boolean
}

const wholeNumber = /^\d+$/
const decimalNumber = /^\d+(\.\d+)?$/

/** Reads a number, or refuses what is none of the range. */
export const numberIn = (text: string | null, range: NumberRange): Effect.Effect<number, DemoRefusal> => {
  if ((text === null || text === "") && range.fallback !== undefined) return Effect.succeed(range.fallback)
  const pattern = range.fractions === true ? decimalNumber : wholeNumber
  const value = pattern.test(text ?? "") ? Number(text) : Number.NaN
  return value >= range.min && value <= range.max
    ? Effect.succeed(value)
    : new DemoRefusal({ status: 400, detail: `${range.name} has to be a number from ${range.min} to ${range.max}.` })
}
