import { Cause, Effect, LogLevel, Runtime } from "effect"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import type { Exchange, ExchangeTrouble } from "../http/Exchange.js"
import { describeError } from "../wire/Reply.js"
import { LineLog } from "./LineLog.js"

/** Tells the log about exchanges. */
export interface ExchangeReporter {
  /** An exchange failed. */
  readonly logError: (exchange: Exchange, error: ExchangeTrouble) => void
  /** An exchange is over; where the access log is on, this is its line. */
  readonly finished: ((exchange: Exchange) => void) | undefined
  /** Something of ours threw. */
  readonly defect: (cause: unknown) => void
}

const messageOf = (cause: unknown): string | undefined => (cause instanceof Error ? cause.message : undefined)

/** Names of what errors tell, as the log has them: a session's status is not that of the answer. */
const namesInLog: Readonly<Record<string, string>> = { sessionId: "session", status: "session_status" }

/** What only the operator is told about an error. */
const internals = (error: ExchangeTrouble): Record<string, unknown> => {
  const { _tag, fault, ...rest } = error
  const known: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(rest)) {
    if (typeof value === "string" || typeof value === "number") known[namesInLog[key] ?? key] = value
  }
  const cause = "cause" in error ? messageOf(error.cause) : undefined
  return { error: _tag, fault, ...known, ...(cause === undefined ? {} : { cause }) }
}

const lineOf = (exchange: Exchange): Record<string, unknown> => ({
  request_id: exchange.requestId,
  client: exchange.client.address,
  ...(exchange.sessionId === undefined ? {} : { session: exchange.sessionId }),
  method: exchange.method,
  target: exchange.target,
})

const blameOf = ({ blame }: Exchange): { readonly cause?: string } => {
  if (blame === undefined) return {}
  return { cause: blame._tag === "ClientStalled" ? blame.message : describeError(blame).detail }
}

/** Tells of a request that was refused or failed. Most are the client's fault, and nobody asks for their lines. */
const errorsTo =
  (log: LineLog) =>
  (exchange: Exchange, error: ExchangeTrouble): void => {
    const isBrokenOff = error._tag === "ClientStalled" || exchange.blame !== undefined
    const isOfClient = isBrokenOff || error.fault === "client"
    const level = isOfClient ? LogLevel.Debug : LogLevel.Warning
    if (!log.has(level)) return
    const fields = { ...lineOf(exchange), ...internals(error) }
    if (error._tag === "ClientStalled" || exchange.blame !== undefined)
      return log.write(level, "broke off", { ...fields, status: exchange.status, ...blameOf(exchange) })
    if (error._tag === "ResponseBroken")
      return log.write(level, "response broke off", { ...fields, status: exchange.status })
    const { status, code } = describeError(error)
    log.write(level, isOfClient ? "refused" : "failed", { ...fields, status, code })
  }

const accessTo =
  (log: LineLog) =>
  (exchange: Exchange): void =>
    log.write(LogLevel.Info, "request", {
      ...lineOf(exchange),
      status: exchange.status,
      ...(exchange.error === undefined ? {} : { code: describeError(exchange.error).code }),
      end: exchange.end,
      ...blameOf(exchange),
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
    logError: errorsTo(log),
    finished: accessLog && log.has(LogLevel.Info) ? accessTo(log) : undefined,
    defect: (thrown) => {
      const cause = Cause.isCause(thrown) ? thrown : Cause.die(thrown)
      fork(Effect.logError("a defect in ss-proxy; please report it", cause))
    },
  }
})
