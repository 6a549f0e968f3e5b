import { bytesText, latencyText, longSecondsText, numberText, rateText, secondsText } from "../Figures.js"
import { countInWords } from "../InWords.js"
import { type Look, type Span, span } from "./Line.js"
import type { Snapshot, Totals } from "./Snapshot.js"

/** What is bad where there is any of it. */
export const redAbove0 = (value: number | undefined): Look => ((value ?? 0) > 0 ? "red" : "plain")

const stoppingText = ({ draining, processes }: Totals): string =>
  draining < processes ? `${numberText(draining)} of them stopping` : "stopping"

/** That the database is away, and how old what is shown of sessions may be. `now`: milliseconds since the epoch. */
export const awayText = ({ asOf }: Pick<Snapshot, "asOf">, now: number): string | undefined =>
  asOf === undefined
    ? undefined
    : `the database is away: sessions as proxies knew them ${secondsText(Math.max(0, now - asOf) / 1_000)} ago`

/** What all processes do together, in phrases. */
export const totalPhrases = (totals: Totals): ReadonlyArray<Span> => {
  const errors = `errors ${rateText(totals.errorsPerSecond)}/s`
  return [
    span(`ss-proxy ${totals.version}`, "bold"),
    span(countInWords(totals.processes, "process", "processes")),
    ...(totals.draining === 0 ? [] : [span(stoppingText(totals), "yellow")]),
    span(`up ${longSecondsText(totals.uptime)}`),
    span(`${rateText(totals.requestsPerSecond)} req/s`, "bold"),
    span(`p50 ${latencyText(totals.p50)} p99 ${latencyText(totals.p99)}`),
    span(`ws ${numberText(totals.websockets)}`),
    span(`streams ${numberText(totals.streams)}`),
    span(`in ${bytesText(totals.bytesInPerSecond)}/s out ${bytesText(totals.bytesOutPerSecond)}/s`),
    span(errors, redAbove0(totals.errorsPerSecond)),
  ]
}
