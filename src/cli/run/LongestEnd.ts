import { endTime } from "./LastResort.js"
import { flushTime } from "../traces/Traces.js"
import type { TraceChoice } from "../traces/TraceVariables.js"

/** How long the end of the process may take behind the drain, in milliseconds. */
export const longestEnd = (traces: TraceChoice | undefined): number =>
  traces === undefined ? endTime : endTime + flushTime
