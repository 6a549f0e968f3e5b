import { Effect, Layer, type Scope } from "effect"
import { layerOtelTracer } from "../../src/cli/traces/OtelTracer.js"
import { readTraceVariables } from "../../src/cli/traces/TraceVariables.js"
import type { SettingsError } from "../../src/domain/ProxyConfig.js"
import type { StoreUnavailable } from "../../src/domain/ProxyError.js"
import type { AdminError } from "../../src/admin/AdminServer.js"
import { type Lab, type LabOptions, startLab } from "../support/Lab.js"
import { Collector, type Taking } from "./Collector.js"

/** A laboratory whose spans are collected. */
export interface TraceLab extends Lab {
  readonly collector: Collector
}

export interface TraceLabOptions extends LabOptions {
  /** Variables of OpenTelemetry, beside that of the collector's URL. */
  readonly variables?: Readonly<Record<string, string>>
  readonly taking?: Taking
}

/** Spans go out at once, so that no test waits for them. */
const eager = { OTEL_BSP_SCHEDULE_DELAY: "1" }

/** A tracer as the program makes it of these variables. */
export const tracerOf = (variables: Readonly<Record<string, string>>): Layer.Layer<never> =>
  Layer.unwrapEffect(
    Effect.map(Effect.orDie(readTraceVariables({ ...eager, ...variables })), (choice) => layerOtelTracer(choice)),
  )

export const startTraceLab = ({ hooks, settings, taking, variables, ...options }: TraceLabOptions = {}): Effect.Effect<
  TraceLab,
  AdminError | SettingsError | StoreUnavailable,
  Scope.Scope
> =>
  Effect.gen(function* () {
    const collector = yield* Collector.start(taking)
    const tracer = tracerOf({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, ...variables })
    const lab = yield* startLab({
      ...options,
      settings: { traces: true, ...settings },
      hooks: hooks === undefined ? tracer : Layer.merge(hooks, tracer),
    })
    return { ...lab, collector }
  })
