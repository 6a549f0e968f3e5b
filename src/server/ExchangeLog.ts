import { Cause, Effect, LogLevel, Runtime } from "effect"
import type { Scope } from "effect"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import { Defect, type DefectPlace } from "../domain/ProxyError.js"
import type { ExchangeFacts, ExchangeTrouble } from "../http/ExchangeFacts.js"
import type { Client } from "../http/ProxyRequest.js"
import type { NoRequest } from "../telemetry/Causes.js"
import { causeOf, failureOf } from "../telemetry/Failure.js"
import { FailureSummary } from "../log/FailureSummary.js"
import { LineLog } from "../log/LineLog.js"
import { type QueryRule, shownTarget } from "../telemetry/Redaction.js"
import { describeError } from "../wire/Reply.js"

/** Tells the log about exchanges. */
export interface ExchangeReporter {
  /** An exchange failed. */
  readonly logError: (exchange: ExchangeFacts, error: ExchangeTrouble) => void
  /** A server's answer broke the rules, and was put right. */
  readonly logRepair: (exchange: ExchangeFacts, repair: string) => void
  /** A client sent, or tried, what never became a request. */
  readonly refused: (client: Client, requestId: string, error: NoRequest) => void
  /** Something of ours threw. */
  readonly defect: (cause: unknown) => void
}

const messageOf = (cause: unknown): string | undefined => (cause instanceof Error ? cause.message : undefined)

/** Names of what errors tell, as the log has them: why a session takes no requests is not the status of the answer. */
const namesInLog: Readonly<Record<string, string>> = { sessionId: "session", status: "reason" }

/** How long a drain still takes, in place of when it ends by a clock that nobody else has. */
const drainLeft = (error: ExchangeTrouble | NoRequest): { readonly drain_ends_in_s?: number } => {
  if (error._tag !== "SessionUnavailable" || error.drainEndsAt === undefined) return {}
  return { drain_ends_in_s: Math.max(0, Math.ceil((error.drainEndsAt - performance.now()) / 1_000)) }
}

/** What only the operator is told about an error. */
const internals = (error: ExchangeTrouble | NoRequest): Record<string, unknown> => {
  const { _tag, fault, ...rest } = error
  const known: Record<string, unknown> = drainLeft(error)
  for (const [key, value] of Object.entries(rest)) {
    const isTold = key !== "drainEndsAt" && (typeof value === "string" || typeof value === "number")
    if (isTold) known[namesInLog[key] ?? key] = value
  }
  const detail = "cause" in error ? messageOf(error.cause) : undefined
  return { cause: causeOf(error), error: _tag, fault, ...known, ...(detail === undefined ? {} : { detail }) }
}

const lineOf = (exchange: ExchangeFacts, query: QueryRule): Record<string, unknown> => ({
  request_id: exchange.requestId,
  client: exchange.client.address,
  ...(exchange.sessionId === undefined ? {} : { session: exchange.sessionId }),
  method: exchange.method,
  target: shownTarget(exchange.target, query),
})

/** What a client did, or did not do, that its request was broken off for. */
const blameOf = ({ blame }: ExchangeFacts): { readonly cause?: string; readonly reason?: string } => {
  if (blame === undefined) return {}
  const reason = blame._tag === "ClientStalled" ? blame.message : describeError(blame).detail
  return { cause: causeOf(blame), reason }
}

const placeNames: { readonly [Place in DefectPlace]: string } = {
  proxy: "ss-proxy; please report it",
  hook: "a hook of this program",
  "upload stage": "a stage of this program (upload)",
  "download stage": "a stage of this program (download)",
}

const thrownAs = (thrown: unknown): Cause.Cause<unknown> => (Cause.isCause(thrown) ? thrown : Cause.die(thrown))

/**
 * Logs a request that was refused or failed. Most are the client's fault, and are logged for debugging only. So is the
 * same failure of a session when it comes again.
 */
const errorsTo =
  (log: LineLog, isNews: (exchange: ExchangeFacts, error: ExchangeTrouble) => boolean, query: QueryRule) =>
  (exchange: ExchangeFacts, error: ExchangeTrouble): void => {
    if (error._tag === "Defect")
      return log.write(
        LogLevel.Error,
        `a defect in ${placeNames[error.place]}`,
        lineOf(exchange, query),
        thrownAs(error.cause),
      )
    const isBrokenOff = error._tag === "ClientStalled" || exchange.blame !== undefined
    const isOfClient = isBrokenOff || error.fault === "client"
    const level = isOfClient || !isNews(exchange, error) ? LogLevel.Debug : LogLevel.Warning
    if (!log.has(level)) return
    const fields = { ...lineOf(exchange, query), ...internals(error) }
    if (error._tag === "ClientStalled" || exchange.blame !== undefined)
      return log.write(level, "broke off", { ...fields, status: exchange.status, ...blameOf(exchange) })
    if (error._tag === "ResponseBroken")
      return log.write(level, "response broke off", { ...fields, status: exchange.status })
    log.write(level, isOfClient ? "refused" : "failed", { ...fields, status: describeError(error).status })
  }

/** Logs, for debugging, what was put right of answers: a server that breaks the rules does so with each. */
const repairsTo =
  (log: LineLog, query: QueryRule) =>
  (exchange: ExchangeFacts, repair: string): void => {
    if (log.has(LogLevel.Debug)) log.write(LogLevel.Debug, "repaired", { ...lineOf(exchange, query), repair })
  }

/** The same for what never became a request: whoever likes can cause any number of these. */
const refusalsTo =
  (log: LineLog) =>
  (client: Client, requestId: string, error: NoRequest): void => {
    if (!log.has(LogLevel.Debug)) return
    log.write(LogLevel.Debug, "refused", {
      request_id: requestId,
      client: client.address,
      ...internals(error),
      status: error._tag === "RequestBroken" ? 0 : describeError(error).status,
    })
  }

/** How often the log tells how many failures came again, in milliseconds. */
const summaryInterval = 60_000

/**
 * Leaves the same failure of the same session out of the log but for the first, and counts it. How often it came is told
 * once a minute, and when the scope is closed.
 */
const makeIsNews = (
  log: LineLog,
): Effect.Effect<(exchange: ExchangeFacts, error: ExchangeTrouble) => boolean, never, Scope.Scope> =>
  Effect.gen(function* () {
    const summary = new FailureSummary()
    let timer: NodeJS.Timeout | undefined
    const tell = (): void => {
      for (const { session, cause, times, requestId } of summary.round())
        log.write(LogLevel.Warning, "failed again", {
          ...(session === undefined ? {} : { session }),
          cause,
          times,
          last_request_id: requestId,
        })
      if (!summary.isEmpty) return
      clearInterval(timer)
      timer = undefined
    }
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        tell()
        clearInterval(timer)
      }),
    )
    return ({ requestId, sessionId }, error) => {
      timer ??= setInterval(tell, summaryInterval).unref()
      return summary.isNews(error.fault === "proxy" ? undefined : sessionId, failureOf(error).cause, requestId)
    }
  })

/** The reporter that writes to the log of whoever builds it. */
export const exchangeReporter: Effect.Effect<ExchangeReporter, never, ProxyConfig | Scope.Scope> = Effect.gen(
  function* () {
    const { logQuery } = yield* ProxyConfig
    const log = yield* LineLog.make
    const fork = Runtime.runFork(yield* Effect.runtime<never>())
    return {
      logError: errorsTo(log, yield* makeIsNews(log), logQuery),
      logRepair: repairsTo(log, logQuery),
      refused: refusalsTo(log),
      defect: (thrown) => {
        const { cause, place } = Defect.at("proxy", thrown)
        fork(Effect.logError(`a defect in ${placeNames[place]}`, thrownAs(cause)))
      },
    }
  },
)
