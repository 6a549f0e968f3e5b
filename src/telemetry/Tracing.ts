import { Context, Effect, type Scope, type Tracer } from "effect"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import { RequestTrace, type TracedRequest } from "./RequestTrace.js"

/** Begins the traces of requests: plain calls on their path, which the `Tracer` in force answers. */
export class Tracing {
  constructor(private readonly tracer: Tracer.Tracer) {}

  /**
   * The spans of a request that began at `begun`, as `performance.now()` tells. `route`: the template of its path, such as
   * `/{session_id}`, where it has one.
   */
  begin(request: TracedRequest, route: string | undefined, begun: number): RequestTrace {
    return new RequestTrace(this.tracer, request, route, begun)
  }
}

/**
 * Makes the tracer of requests and WebSockets, which records nothing else; it ends with the proxy. Where it makes none, the
 * tracer is the `Tracer` of whoever builds the proxy, by which other parts of a program may record as well.
 */
export class RequestTracer extends Context.Reference<RequestTracer>()("@ss-proxy/RequestTracer", {
  defaultValue: (): Effect.Effect<Tracer.Tracer | undefined, never, Scope.Scope> => Effect.succeed(undefined),
}) {}

/** What begins traces; `undefined` where the settings say that there are none. */
export const makeTracing: Effect.Effect<Tracing | undefined, never, ProxyConfig | Scope.Scope> = Effect.gen(function* () {
  const { traces } = yield* ProxyConfig
  if (!traces) return undefined
  const tracer = yield* Effect.flatten(RequestTracer)
  return new Tracing(tracer ?? (yield* Effect.tracer))
})
