import { bytesText, latencyText, longSecondsText, numberText, rateText } from "../Figures.js"
import { countInWords } from "../InWords.js"
import { type Look, type Span, span } from "./Line.js"
import type { Totals } from "./Snapshot.js"

/** What is bad where there is any of it. */
export const redAbove0 = (value: number | undefined): Look => ((value ?? 0) > 0 ? "red" : "plain")

const stoppingText = ({ draining, processes }: Totals): string =>
  draining < processes ? `${numberText(draining)} of them stopping` : "stopping"

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
