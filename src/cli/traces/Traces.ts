import { Effect } from "effect"
import type { CommandFailed, UsageError } from "../Failure.js"
import type { TraceChoice } from "./TraceVariables.js"

/** How long what was recorded may take to be sent when the proxy ends. Milliseconds. */
export const flushTime = 3_000

/** Whether the variables of OpenTelemetry ask for spans. */
export const asksForTraces = (variables: Readonly<Record<string, string | undefined>>): boolean => {
  const valueOf = (name: string) => variables[name]?.trim().toLowerCase() ?? ""
  const hasEndpoint =
    valueOf("OTEL_EXPORTER_OTLP_ENDPOINT") !== "" || valueOf("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") !== ""
  return hasEndpoint && valueOf("OTEL_SDK_DISABLED") !== "true" && valueOf("OTEL_TRACES_EXPORTER") !== "none"
}

/** What they ask for; `undefined` for nothing, and then nothing is loaded either. */
export const resolveTraces: Effect.Effect<TraceChoice | undefined, UsageError | CommandFailed> = Effect.gen(
  function* () {
    if (!asksForTraces(process.env)) return undefined
    const { readTraceVariables } = yield* Effect.promise(() => import("./TraceVariables.js"))
    return yield* readTraceVariables(process.env)
  },
)
