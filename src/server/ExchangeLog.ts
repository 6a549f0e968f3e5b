import { Effect, LogLevel, Runtime } from "effect"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import type { ProxyError, ResponseBroken } from "../domain/ProxyError.js"
import type { Exchange } from "../http/Exchange.js"
import { errorAnswer } from "../wire/Reply.js"
import { LineLog } from "./LineLog.js"

/** Tells the log about exchanges. */
export interface ExchangeReporter {
  /** An exchange failed. */
  readonly report: (exchange: Exchange, error: ProxyError | ResponseBroken) => void
  /** An exchange is over; where the access log is on, this is its line. */
  readonly finished: ((exchange: Exchange) => void) | undefined
  /** Something of ours threw. */
  readonly defect: (cause: unknown) => void
}

const messageOf = (cause: unknown): string | undefined => (cause instanceof Error ? cause.message : undefined)

/** What only the operator is told about an error. */
const internals = (error: ProxyError | ResponseBroken): Record<string, unknown> => {
  const { _tag, fault, ...rest } = error
  const known: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(rest)) {
    if (typeof value === "string" || typeof value === "number") known[key === "sessionId" ? "session" : key] = value
  }
  const cause = "cause" in error ? messageOf(error.cause) : undefined
  return { error: _tag, fault, ...known, ...(cause === undefined ? {} : { cause }) }
}

const lineOf = (exchange: Exchange): Record<string, unknown> => ({
  request_id: exchange.requestId,
  client: exchange.client.address,
  ...(exchange.session === undefined ? {} : { session: exchange.session.id }),
  method: exchange.method,
  target: exchange.target,
})

/** Tells of a request that was refused or failed. Most refusals are the client's fault, and nobody asks for their lines. */
const reportTo =
  (log: LineLog) =>
  (exchange: Exchange, error: ProxyError | ResponseBroken): void => {
    const broke = error._tag === "ResponseBroken"
    const isRefusal = !broke && error.fault === "client"
    const level = isRefusal ? LogLevel.Debug : LogLevel.Warning
    if (!log.has(level)) return
    const fields = { ...lineOf(exchange), ...internals(error) }
    if (broke) return log.write(level, "response broke off", { ...fields, status: exchange.status })
    const { status, code } = errorAnswer(error)
    log.write(level, isRefusal ? "refused" : "failed", { ...fields, status, code })
  }

const accessTo =
  (log: LineLog) =>
  (exchange: Exchange): void =>
    log.write(LogLevel.Info, "request", {
      ...lineOf(exchange),
      status: exchange.status,
      ...(exchange.error === undefined ? {} : { code: errorAnswer(exchange.error).code }),
      end: exchange.end,
      bytes_in: exchange.bytesIn,
      bytes_out: exchange.bytesOut,
      retries: exchange.retries,
      milliseconds: Math.round(exchange.age),
    })

/** The reporter that writes to the log of whoever builds it. */
export const exchangeReporter: Effect.Effect<ExchangeReporter, never, ProxyConfig> = Effect.gen(function* () {
  const { accessLog } = yield* ProxyConfig
  const log = yield* LineLog.make
  const fork = Runtime.runFork(yield* Effect.runtime<never>())
  return {
    report: reportTo(log),
    finished: accessLog && log.has(LogLevel.Info) ? accessTo(log) : undefined,
    defect: (cause) => void fork(Effect.logError("a defect in ss-proxy; please report it", cause)),
  }
})
