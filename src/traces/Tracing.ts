import { Context, Effect, type Scope } from "effect"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import type { QueryRule } from "../telemetry/Redaction.js"
import { beginTrace, type RequestRecorder, type RequestTrace, type TracedRequest } from "./RequestTrace.js"

/** Begins the traces of requests: plain calls on their path. */
export class Tracing {
  constructor(
    private readonly recorder: RequestRecorder,
    private readonly query: QueryRule,
  ) {}

  /**
   * The trace of a request that began at `begun`, as `performance.now()` tells, or the id of one that begins with it and is not
   * recorded. `route`: the template of its path, such as `/{session_id}`, where it has one.
   */
  begin(request: TracedRequest, route: string | undefined, begun: number): RequestTrace | string {
    return beginTrace(this.recorder, request, route, begun, this.query)
  }
}

/**
 * Makes what records requests and WebSockets, and nothing else; it ends with the proxy. Where it makes nothing, they are recorded
 * by the `Tracer` of whoever builds the proxy, by which other parts of a program may record as well.
 */
export class RequestTracer extends Context.Reference<RequestTracer>()("@ss-proxy/RequestTracer", {
  defaultValue: (): Effect.Effect<RequestRecorder | undefined, never, Scope.Scope> => Effect.succeed(undefined),
}) {}

/** What begins traces; `undefined` where the settings say that there are none. */
export const makeTracing: Effect.Effect<Tracing | undefined, never, ProxyConfig | Scope.Scope> = Effect.gen(
  function* () {
    const { logQuery, traces } = yield* ProxyConfig
    if (!traces) return undefined
    const own = yield* Effect.flatten(RequestTracer)
    return new Tracing(own ?? { tracer: yield* Effect.tracer, isSampled: () => true }, logQuery)
  },
)
