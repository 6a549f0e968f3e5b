import { Effect, Runtime } from "effect"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import type { ProxyError, ResponseBroken } from "../domain/ProxyError.js"
import type { Exchange } from "../http/Exchange.js"
import { errorAnswer } from "../wire/Reply.js"

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

const failureLine = (exchange: Exchange, error: ProxyError | ResponseBroken): Effect.Effect<void> => {
  const fields = { ...lineOf(exchange), ...internals(error) }
  if (error._tag === "ResponseBroken")
    return Effect.annotateLogs(Effect.logWarning("response broke off"), { ...fields, status: exchange.status })
  const { status, code } = errorAnswer(error)
  const log = error.fault === "client" ? Effect.logDebug("refused") : Effect.logWarning("failed")
  return Effect.annotateLogs(log, { ...fields, status, code })
}

const accessLine = (exchange: Exchange): Effect.Effect<void> =>
  Effect.annotateLogs(Effect.logInfo("request"), {
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
  const fork = Runtime.runFork(yield* Effect.runtime<never>())
  return {
    report: (exchange, error) => void fork(failureLine(exchange, error)),
    finished: accessLog ? (exchange) => void fork(accessLine(exchange)) : undefined,
    defect: (cause) => void fork(Effect.logError("a defect in ss-proxy; please report it", cause)),
  }
})
