import { Effect, type Tracer } from "effect"
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

/** Traces by the `Tracer` of whoever builds this; `undefined` where the settings say that there are none. */
export const makeTracing: Effect.Effect<Tracing | undefined, never, ProxyConfig> = Effect.flatMap(
  ProxyConfig,
  ({ traces }) => (traces ? Effect.map(Effect.tracer, (tracer) => new Tracing(tracer)) : Effect.succeed(undefined)),
)
