import { Effect, type Scope } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import { Readable } from "node:stream"
import { HttpOrigin } from "./HttpOrigin.js"
import { Arrived, longBody } from "./LongBody.js"

/** What the origin tells of an upload. */
export interface UploadReport {
  readonly bytes: number
  readonly isIntact: boolean
  readonly framing: string
}

const download = (request: IncomingMessage, response: ServerResponse, bytes: number): void => {
  if (request.url?.startsWith("/length/")) response.setHeader("Content-Length", bytes)
  Readable.from(longBody(bytes))
    .on("error", () => {})
    .pipe(response)
}

const upload = (request: IncomingMessage, response: ServerResponse): void => {
  const arrived = new Arrived()
  const framing = request.headers["content-length"] === undefined ? "chunked" : "length"
  request.on("data", arrived.take)
  request.once("end", () => {
    const { bytes, isIntact } = arrived
    const report: UploadReport = { bytes, isIntact, framing }
    response.end(JSON.stringify(report))
  })
}

/**
 * An origin for long bodies: `GET /length/{bytes}` and `GET /chunked/{bytes}` send one, `PUT /` reads one and reports
 * on it, and `PUT /never-read` reads nothing.
 */
export const startTransferOrigin: Effect.Effect<HttpOrigin, never, Scope.Scope> = HttpOrigin.start(
  (request, response) => {
    const bytes = /^\/(?:length|chunked)\/(\d+)$/.exec(request.url ?? "")?.[1]
    if (bytes !== undefined) download(request, response, Number(bytes))
    else if (request.url !== "/never-read") upload(request, response)
  },
)
