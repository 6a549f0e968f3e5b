import * as OtelResource from "@effect/opentelemetry/Resource"
import * as OtelTracer from "@effect/opentelemetry/Tracer"
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources"
import { AlwaysOnSampler } from "@opentelemetry/sdk-trace-base"
import { layerTracerProvider } from "@effect/opentelemetry/NodeSdk"
import { Effect, Layer, type Scope } from "effect"
import type { RequestRecorder } from "../../telemetry/RequestTrace.js"
import { RequestTracer } from "../../telemetry/Tracing.js"
import { version } from "../../domain/Version.js"
import { samplerOf, SpanIds, withChosenIds } from "./Sampling.js"
import { makeSpanProcessor } from "./SpanSender.js"
import { flushTime } from "./Traces.js"
import type { TraceChoice } from "./TraceVariables.js"

/** What all spans say of their origin. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win. */
const layerResource = Layer.sync(OtelResource.Resource, () =>
  defaultResource()
    .merge(resourceFromAttributes({ "service.name": "ss-proxy", "service.version": version }))
    .merge(detectResources({ detectors: [envDetector] })),
)

/** Records as the variables of OpenTelemetry say, and sends to a collector what is recorded. */
const makeOtelRecorder = ({
  batching,
  collector,
  sampling,
  warnings,
}: TraceChoice): Effect.Effect<RequestRecorder, never, Scope.Scope> =>
  Effect.gen(function* () {
    for (const warning of warnings) yield* Effect.logWarning(warning)
    const ids = new SpanIds()
    const processor = yield* makeSpanProcessor(collector, batching)
    const provider = layerTracerProvider(processor, {
      // What comes to it is decided about.
      sampler: new AlwaysOnSampler(),
      idGenerator: ids,
      shutdownTimeout: flushTime,
    })
    const otel = yield* Layer.build(OtelTracer.layerTracer.pipe(Layer.provide(provider), Layer.provide(layerResource)))
    const recording = yield* Effect.provide(OtelTracer.make, otel)
    return { tracer: withChosenIds(recording, ids), isSampled: samplerOf(sampling) }
  })

/** Lets a proxy record requests in this way. */
export const layerOtelTracer = (choice: TraceChoice): Layer.Layer<never> =>
  Layer.succeed(RequestTracer, makeOtelRecorder(choice))
