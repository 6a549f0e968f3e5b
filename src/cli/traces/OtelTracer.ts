import * as OtelResource from "@effect/opentelemetry/Resource"
import * as OtelTracer from "@effect/opentelemetry/Tracer"
import { ROOT_CONTEXT } from "@opentelemetry/api"
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources"
import { AlwaysOnSampler, SamplingDecision, TraceIdRatioBasedSampler } from "@opentelemetry/sdk-trace-base"
import { layerTracerProvider } from "@effect/opentelemetry/NodeSdk"
import { Effect, Layer, type Scope, type Tracer } from "effect"
import { RequestTracer } from "../../telemetry/Tracing.js"
import { version } from "../../domain/Version.js"
import { SpanIds, sampledTracer } from "./SampledTracer.js"
import { makeSpanProcessor } from "./SpanSender.js"
import { flushTime } from "./Traces.js"
import type { Sampling, TraceChoice } from "./TraceVariables.js"

/** What all spans say of their origin. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win. */
const layerResource = Layer.sync(OtelResource.Resource, () =>
  defaultResource()
    .merge(resourceFromAttributes({ "service.name": "ss-proxy", "service.version": version }))
    .merge(detectResources({ detectors: [envDetector] })),
)

const inShare = ({ share }: Sampling): ((traceId: string) => boolean) => {
  if (share === 0 || share === 1) return () => share === 1
  const sampler = new TraceIdRatioBasedSampler(share)
  return (traceId) => sampler.shouldSample(ROOT_CONTEXT, traceId).decision === SamplingDecision.RECORD_AND_SAMPLED
}

/** A tracer that records as the variables of OpenTelemetry say, and sends to a collector what it records. */
const makeOtelTracer = ({
  batching,
  collector,
  sampling,
  warnings,
}: TraceChoice): Effect.Effect<Tracer.Tracer, never, Scope.Scope> =>
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
    return sampledTracer(recording, ids, sampling, inShare(sampling))
  })

/** Lets a proxy record requests in this way. */
export const layerOtelTracer = (choice: TraceChoice): Layer.Layer<never> =>
  Layer.succeed(RequestTracer, makeOtelTracer(choice))
