import { defaultResource, detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources"
import { Effect, Layer, type Scope } from "effect"
import { version } from "../../domain/Version.js"
import type { RequestRecorder } from "../../traces/RequestTrace.js"
import { RequestTracer } from "../../traces/Tracing.js"
import { recordingTracer } from "./RecordedSpan.js"
import { samplerOf } from "./Sampling.js"
import { makeSpanSender } from "./SpanSender.js"
import type { TraceChoice } from "./TraceVariables.js"

/** What all spans say of their origin. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win. */
const serviceAttributes = (): ReadonlyMap<string, unknown> => {
  const resource = defaultResource()
    .merge(resourceFromAttributes({ "service.name": "ss-proxy", "service.version": version }))
    .merge(detectResources({ detectors: [envDetector] }))
  return new Map(Object.entries(resource.attributes))
}

/** Records as the variables of OpenTelemetry say, and sends to a collector what is recorded. */
const makeOtelRecorder = ({
  batching,
  collector,
  sampling,
  warnings,
}: TraceChoice): Effect.Effect<RequestRecorder, never, Scope.Scope> =>
  Effect.gen(function* () {
    for (const warning of warnings) yield* Effect.logWarning(warning)
    const take = yield* makeSpanSender(collector, batching, serviceAttributes())
    return { tracer: recordingTracer(take), isSampled: samplerOf(sampling) }
  })

/** Lets a proxy record requests in this way. */
export const layerOtelTracer = (choice: TraceChoice): Layer.Layer<never> =>
  Layer.succeed(RequestTracer, makeOtelRecorder(choice))
