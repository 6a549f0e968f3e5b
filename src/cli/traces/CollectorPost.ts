import { Data, Effect, Schedule } from "effect"
import { Agent as HttpAgent, type ClientRequest, type IncomingMessage, request as httpRequest } from "node:http"
import { Agent as HttpsAgent, request as httpsRequest } from "node:https"
import { promisify } from "node:util"
import { gzip } from "node:zlib"
import { version } from "../../domain/Version.js"
import type { Collector } from "./TraceVariables.js"

/** A batch was not taken. */
export class PostFailed extends Data.TaggedError("PostFailed")<{
  /** As a phrase. */
  readonly problem: string
  /** Whether the same may well be taken later. */
  readonly isPassing: boolean
}> {}

/** The longest answer that is read, in bytes: it says how many spans were refused, if any. */
const longestAnswer = 65_536

/** A collector says so when it is busy (OTLP 1.x, "OTLP/HTTP response"). */
const passing: ReadonlySet<number> = new Set([429, 502, 503, 504])

const failed = (problem: string, isPassing: boolean) => new PostFailed({ problem, isPassing })

/** What to do about a collector that says nothing. */
const whatToCheck = "check that it runs, and takes OTLP over HTTP at this URL"

const statusProblem = (status: number): string => {
  if (status === 401 || status === 403) return `it answered ${status}; check OTEL_EXPORTER_OTLP_HEADERS`
  if (status === 404 || status === 405) return `it answered ${status}; check the path of the URL`
  return `it answered ${status}; see its log`
}

/** Reads an answer to its end. `done` is called at least once, and the first call counts. */
const readAnswer = (answer: IncomingMessage, done: (result: Effect.Effect<Buffer, PostFailed>) => void): void => {
  const chunks: Array<Buffer> = []
  let size = 0
  const status = answer.statusCode ?? 0
  answer.on("data", (chunk: Buffer) => {
    size += chunk.byteLength
    chunks.push(chunk)
    if (size <= longestAnswer) return
    done(Effect.fail(failed(`its answer is longer than ${longestAnswer} bytes; is it a collector?`, false)))
    answer.destroy()
  })
  answer.on("error", (cause) => done(Effect.fail(failed(cause.message, true))))
  answer.on("end", () => {
    const isTaken = status >= 200 && status < 300
    done(
      isTaken ? Effect.succeed(Buffer.concat(chunks)) : Effect.fail(failed(statusProblem(status), passing.has(status))),
    )
  })
}

const deflate = promisify(gzip)

/** Connections to the collector, and whoever asks for one. */
const connectionsTo = ({ ca, cert, key, url }: Collector) => {
  if (url.protocol === "http:") return { agent: new HttpAgent({ keepAlive: true }), request: httpRequest }
  const tls = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }
  return { agent: new HttpsAgent({ keepAlive: true, ...tls }), request: httpsRequest }
}

/** Again after a second or so, then after longer times, never all at once. The batch's timeout ends it. */
const retries = Schedule.exponential("1 second", 1.5).pipe(Schedule.jittered)

/**
 * Sends batches to a collector, each in the time it may take, and gives the answers. Interrupted, it is over at once: no
 * socket and no timer is left of it.
 */
export const collectorPost = (collector: Collector) => {
  const { agent, request } = connectionsTo(collector)
  const fields = {
    "user-agent": `ss-proxy/${version}`,
    ...collector.fields,
    "content-type": "application/json",
    ...(collector.gzip && { "content-encoding": "gzip" }),
  }

  const post = (body: Uint8Array): Effect.Effect<Buffer, PostFailed> =>
    Effect.async((resume) => {
      const headers = { ...fields, "content-length": body.byteLength }
      const asked: ClientRequest = request(collector.url, { method: "POST", agent, headers })
      asked.on("response", (answer) => readAnswer(answer, resume))
      asked.on("error", (cause) =>
        resume(Effect.fail(failed(`${cause.message === "" ? String(cause) : cause.message}; ${whatToCheck}`, true))),
      )
      asked.end(body)
      return Effect.sync(() => void asked.destroy())
    })

  const send = (json: Uint8Array): Effect.Effect<Buffer, PostFailed> =>
    Effect.suspend(() => {
      let latest = whatToCheck
      const noted = (body: Uint8Array) =>
        Effect.tapError(post(body), ({ problem }) => Effect.sync(() => void (latest = problem)))
      return Effect.promise(async () => (collector.gzip ? deflate(json) : json)).pipe(
        Effect.flatMap((body) => Effect.retry(noted(body), { while: ({ isPassing }) => isPassing, schedule: retries })),
        Effect.timeoutFail({
          duration: collector.timeout,
          onTimeout: () => failed(`it did not take them within ${collector.timeout} ms: ${latest}`, true),
        }),
      )
    })

  return { send, close: Effect.sync(() => agent.destroy()) }
}
