import { Effect, type Scope } from "effect"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { Socket } from "node:net"
import { gunzipSync } from "node:zlib"
import { Changes, type NotSeen } from "../support/Changes.js"

/** A value as OTLP writes it in JSON. */
interface OtlpValue {
  readonly stringValue?: string
  readonly intValue?: number | string
  readonly doubleValue?: number
  readonly boolValue?: boolean
}

interface OtlpAttribute {
  readonly key: string
  readonly value: OtlpValue
}

interface OtlpSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: ReadonlyArray<OtlpAttribute>
  readonly events: ReadonlyArray<{ readonly name: string; readonly timeUnixNano: string }>
  readonly status: { readonly code?: number; readonly message?: string }
}

interface OtlpRequest {
  readonly resourceSpans: ReadonlyArray<{
    readonly resource: { readonly attributes: ReadonlyArray<OtlpAttribute> }
    readonly scopeSpans: ReadonlyArray<{ readonly spans: ReadonlyArray<OtlpSpan> }>
  }>
}

type Attributes = Readonly<Record<string, string | number | boolean | undefined>>

const kinds = ["unspecified", "internal", "server", "client", "producer", "consumer"]

/** A span as a collector got it. Times are milliseconds since the epoch. */
export interface CollectedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string | undefined
  readonly name: string
  readonly kind: string | undefined
  readonly start: number
  readonly end: number
  readonly attributes: Attributes
  readonly events: ReadonlyArray<string>
  readonly isError: boolean
  readonly resource: Attributes
}

const attributesOf = (list: ReadonlyArray<OtlpAttribute>): Attributes =>
  Object.fromEntries(
    list.map(({ key, value }) => [
      key,
      value.stringValue ??
        value.doubleValue ??
        value.boolValue ??
        (value.intValue === undefined ? undefined : Number(value.intValue)),
    ]),
  )

export const spansOf = (request: OtlpRequest): ReadonlyArray<CollectedSpan> =>
  request.resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans
      .flatMap(({ spans }) => spans)
      .map((span) => ({
        traceId: span.traceId,
        spanId: span.spanId,
        parentId: span.parentSpanId,
        name: span.name,
        kind: kinds[span.kind],
        start: Number(span.startTimeUnixNano) / 1e6,
        end: Number(span.endTimeUnixNano) / 1e6,
        attributes: attributesOf(span.attributes),
        events: span.events.map(({ name }) => name),
        isError: span.status.code === 2,
        resource: attributesOf(resource.attributes),
      })),
  )

/** What a collector does with a batch that it has read. */
export type Taking = (response: ServerResponse, request: IncomingMessage) => void

export const takes: Taking = (response) => void response.setHeader("content-type", "application/json").end("{}")

/** Takes spans by OTLP over HTTP, in JSON, gzip or not. */
export class Collector {
  readonly spans: Array<CollectedSpan> = []
  readonly requests: Array<IncomingMessage> = []

  private constructor(
    readonly port: number,
    private readonly changes: Changes,
  ) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  named(name: string): ReadonlyArray<CollectedSpan> {
    return this.spans.filter((span) => span.name === name)
  }

  /** Waits until so many spans have come. */
  has(count: number): Effect.Effect<ReadonlyArray<CollectedSpan>, NotSeen> {
    return Effect.as(
      this.changes.until(
        `${count} spans`,
        () => this.spans.length >= count,
        () => this.spans.map(({ name }) => name).join(", "),
      ),
      this.spans,
    )
  }

  /** Waits until so many requests have come, taken or not. */
  asked(count: number): Effect.Effect<void, NotSeen> {
    return this.changes.until(
      `${count} batches`,
      () => this.requests.length >= count,
      () => `${this.requests.length} batches`,
    )
  }

  private read(request: IncomingMessage, body: Buffer): void {
    this.requests.push(request)
    const text = request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body
    this.spans.push(...spansOf(JSON.parse(text.toString("utf8"))))
    this.changes.announce()
  }

  static start(taking: Taking = takes): Effect.Effect<Collector, never, Scope.Scope> {
    return Effect.gen(function* () {
      const changes = new Changes()
      const sockets = new Set<Socket>()
      const server = createServer((request, response) => {
        const chunks: Array<Buffer> = []
        response.on("error", () => {})
        request.on("data", (chunk: Buffer) => chunks.push(chunk))
        request.on("error", () => {})
        request.on("end", () => {
          collector.read(request, Buffer.concat(chunks))
          taking(response, request)
        })
      })
      server.on("connection", (socket) => {
        sockets.add(socket)
        socket.on("close", () => sockets.delete(socket))
        socket.on("error", () => {})
      })
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          for (const socket of sockets) socket.destroy()
          server.close()
        }),
      )
      const port = yield* Effect.async<number>((resume) => {
        server.listen(0, "127.0.0.1", () => {
          const address = server.address()
          resume(
            address === null || typeof address === "string"
              ? Effect.dieMessage("no port")
              : Effect.succeed(address.port),
          )
        })
      })
      const collector = new Collector(port, changes)
      return collector
    })
  }
}
