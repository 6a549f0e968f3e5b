import { Data, Effect, Exit, FiberSet, Layer, type Scope } from "effect"
import { nextTurn } from "../clock/NextTurn.js"
import { ProxyConfig, type ProxySettings } from "../domain/ProxyConfig.js"
import { DownstreamTimeout } from "../domain/ProxyError.js"
import { version } from "../domain/Version.js"
import type { LiveSession } from "../sessions/LiveSession.js"
import { type RuleSettings, rulesFor } from "../sessions/SessionRequestRules.js"
import { SessionDirectory } from "../sessions/SessionDirectory.js"
import { errorOf } from "../step/Call.js"
import { faultOf } from "../telemetry/ServerFaults.js"
import { type CheckResult, type Counters, Telemetry } from "../telemetry/Telemetry.js"
import { Traffic } from "../traffic/Traffic.js"
import { empty } from "../wire/Body.js"
import { editedFields } from "../wire/FieldEdits.js"
import { plainTarget } from "../wire/Target.js"
import { addressOf } from "./Dial.js"
import { type Answer, Downstream, type RequestError, type RequestHead } from "./Downstream.js"

/** Checks under way at a time: enough for tens of thousands of servers that answer, few beside the requests of clients. */
const mostAtOnce = 64

/** Checks whose turns come within so long begin one after the other, so that no timer is needed for each. Milliseconds. */
const shortestPause = 5

/** The lifetime of the session is over, so that it does not matter what its server does. */
class SessionOver extends Data.TaggedError("SessionOver") {}

/** Fails when the lifetime ends. It counts as in use for that long, so that its end is noticed. */
const endOf = (session: LiveSession): Effect.Effect<never, SessionOver> =>
  Effect.async((resume) => {
    const listener = { sessionEnded: () => resume(new SessionOver()) }
    session.attach(listener)
    return Effect.sync(() => session.detach(listener))
  })

type CheckSettings = RuleSettings &
  Pick<ProxySettings, "healthCheck" | "healthCheckInterval" | "healthCheckTimeout" | "path">

/** The target of a check: that of a request for this path behind the session's id. */
const checkedTarget = ({ id, policy, target }: LiveSession, { healthCheck, path }: CheckSettings): string =>
  plainTarget(target, { segment: `/${encodeURIComponent(id)}`, rest: healthCheck }, policy.path ?? path)

/** The request of a check. Its connection is not kept: one for each session would be a herd of its own. */
const headOf = (session: LiveSession, settings: CheckSettings): RequestHead => {
  const { target } = session
  const { edits } = rulesFor(session, settings)
  const own = ["User-Agent", `ss-proxy/${version} (health check)`, "Accept", "*/*"]
  const isAuthorized = target.authorization === undefined || edits?.named.has("authorization") === true
  return {
    method: "GET",
    target: checkedTarget(session, settings),
    fields: [
      "Host",
      target.authority,
      ...(edits === undefined ? own : editedFields(own, edits)),
      ...(isAuthorized ? [] : ["Authorization", target.authorization]),
      "Connection",
      "close",
    ],
  }
}

const results: { readonly [Tag in RequestError["_tag"]]: CheckResult } = {
  DownstreamUnreachable: "unreachable",
  LoopDetected: "unreachable",
  DownstreamReset: "broken",
  DownstreamProtocol: "broken",
  DownstreamTimeout: "timeout",
  SystemShortage: "skipped",
  SessionLimit: "skipped",
  Overloaded: "skipped",
  RequestBroken: "skipped",
}

/** Asks the servers of sessions how they do, and notes it where it is to be seen (`LiveSession.health`). */
class HealthChecks {
  constructor(
    private readonly settings: CheckSettings,
    private readonly directory: typeof SessionDirectory.Service,
    private readonly downstream: typeof Downstream.Service,
    private readonly traffic: typeof Traffic.Service,
    private readonly counters: Counters,
  ) {}

  /** Begins checks for ever, in rounds. Each owes its fiber to the scope. */
  get run(): Effect.Effect<never, never, Scope.Scope> {
    return Effect.gen(this, function* () {
      const checks = yield* FiberSet.make()
      const places = yield* Effect.makeSemaphore(mostAtOnce)
      const begin = (id: string) =>
        Effect.zipRight(places.take(1), FiberSet.run(checks, Effect.ensuring(this.check(id), places.release(1))))
      return yield* Effect.forever(this.round(begin))
    })
  }

  /** Begins a check of each session that is known, spread over the interval. Those that come meanwhile are of the next round. */
  private round(begin: (id: string) => Effect.Effect<unknown>): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const { healthCheckInterval: interval } = this.settings
      const { entries } = this.directory.numbers()
      if (entries === 0) return yield* Effect.sleep(interval)
      const pause = interval / entries
      const atOnce = Math.ceil(shortestPause / pause)
      let begun = 0
      for (const id of this.directory.known()) {
        yield* begin(id)
        yield* ++begun % atOnce === 0 ? Effect.sleep(pause * atOnce) : nextTurn
        if (begun >= entries) break
      }
      // Of a round that ended early, for sessions were forgotten.
      yield* Effect.sleep(pause * Math.max(0, entries - begun))
    })
  }

  /** A session that is gone, or does not forward, has nothing to be checked; nor has a proxy that is about to stop. */
  private check(id: string): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      if (this.traffic.isClosing()) return
      const session = yield* this.directory.lookup(id)
      const asked = Effect.raceFirst(this.ask(session), endOf(session))
      const exit = yield* Effect.exit(asked)
      if (Exit.isSuccess(exit)) return this.answered(session, exit.value)
      const error = errorOf(exit.cause)
      if (error === undefined) return yield* Effect.logWarning("a health check failed", exit.cause)
      if (error._tag !== "SessionOver") this.failed(session, error)
    }).pipe(Effect.ignore)
  }

  private ask(session: LiveSession): Effect.Effect<Answer, RequestError> {
    const { healthCheckTimeout: milliseconds } = this.settings
    const { request, requestOnce = request } = this.downstream
    return Effect.timeoutFail(requestOnce(session, headOf(session, this.settings), empty), {
      duration: milliseconds,
      onTimeout: () => new DownstreamTimeout({ address: addressOf(session.target), milliseconds }),
    })
  }

  private answered(session: LiveSession, { body, status }: Answer): void {
    if (body._tag === "Moving") body.source.cancel()
    const isOk = status >= 200 && status < 400
    this.counters.healthChecked(isOk ? "ok" : "status")
    if (isOk) return session.noteAnswer("active")
    session.noteFault("active", { code: "health_check_failed", reason: `it answered ${status}` }, true)
  }

  private failed(session: LiveSession, error: RequestError): void {
    const result = results[error._tag]
    this.counters.healthChecked(result)
    if (result === "skipped" || error._tag === "RequestBroken") return
    const fault = faultOf(error)
    const reason =
      error._tag === "DownstreamTimeout" ? `no answer within ${error.milliseconds / 1_000} s` : fault.reason
    session.noteFault("active", { ...fault, reason })
  }
}

/**
 * Checks the servers of sessions that are known in memory, which are those in use, where `--health-check` asks for it. The
 * requests are none of a client's: no log, no activity and no limit for clients knows them.
 */
export const layerHealthChecks: Layer.Layer<never, never, ProxyConfig | SessionDirectory | Downstream | Traffic> =
  Layer.scopedDiscard(
    Effect.gen(function* () {
      const settings = yield* ProxyConfig
      if (settings.healthCheck === "off") return
      const checks = new HealthChecks(
        settings,
        yield* SessionDirectory,
        yield* Downstream,
        yield* Traffic,
        yield* Telemetry,
      )
      yield* Effect.forkScoped(checks.run)
    }),
  )
