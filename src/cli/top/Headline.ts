import { bytesText, longSecondsText, millisecondsText, numberText, rateText } from "../Figures.js"
import { countInWords } from "../InWords.js"
import { type Look, type Span, span } from "./Line.js"
import type { Rates, Totals } from "./Snapshot.js"

/** What is bad where there is any of it. */
export const redAbove0 = (value: number | undefined): Look => ((value ?? 0) > 0 ? "red" : "plain")

/** `p50 1.2 p99 18 ms`; from ten seconds on a time has its own unit. */
const latencies = ({ p50, p99 }: Rates): string => {
  const unitOf = (value: number | undefined): string => (value !== undefined && value >= 10_000 ? "" : " ms")
  const shared = unitOf(p50) === unitOf(p99) ? "" : unitOf(p50)
  return `p50 ${millisecondsText(p50)}${shared} p99 ${millisecondsText(p99)}${unitOf(p99)}`
}

/** What all processes do together, in phrases. */
export const totalPhrases = (totals: Totals): ReadonlyArray<Span> => {
  const errors = `errors ${rateText(totals.errorsPerSecond)}/s`
  return [
    span(`ss-proxy ${totals.version}`, "bold"),
    span(countInWords(totals.processes, "process", "processes")),
    span(`up ${longSecondsText(totals.uptime)}`),
    span(`${rateText(totals.requestsPerSecond)} req/s`, "bold"),
    span(latencies(totals)),
    span(`ws ${numberText(totals.websockets)}`),
    span(`streams ${numberText(totals.streams)}`),
    span(`in ${bytesText(totals.bytesInPerSecond)}/s out ${bytesText(totals.bytesOutPerSecond)}/s`),
    span(errors, redAbove0(totals.errorsPerSecond)),
  ]
}
