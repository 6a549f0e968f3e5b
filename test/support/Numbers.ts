import { Effect } from "effect"
import { exposition } from "../../src/telemetry/Exposition.js"
import type { Counters } from "../../src/telemetry/Telemetry.js"

/** The number of a series in an exposition, named as it is there; `undefined` where there is no such series. */
export const valueIn = (text: string, series: string): number | undefined => {
  const line = text.split("\n").find((one) => one.startsWith(`${series} `))
  return line === undefined ? undefined : Number(line.slice(series.length + 1))
}

/** Every series of an exposition. */
export const seriesIn = (text: string): ReadonlyArray<string> =>
  text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.slice(0, line.lastIndexOf(" ")))

/** Everything that was counted so far, as Prometheus is told. */
export const textOf = (counters: Counters): Effect.Effect<string> => Effect.map(counters.snapshot, exposition)
