import type { RequestRecorder } from "../../traces/RequestTrace.js"
import type { Sampling } from "./TraceVariables.js"

/**
 * Who decides what is recorded. A stranger has no say: neither the flag that it sends counts, nor its choice of a trace id. Of
 * other traces the share is told by the id, by the first half of its last eight bytes: as the SDKs for most languages do, so
 * that all who are told the same share record the same traces.
 */
export const samplerOf = ({ byParent, share }: Sampling): RequestRecorder["isSampled"] => {
  const isAll = share >= 1
  // Digits of one length are in the order of their numbers: to read a number of every id takes longer than to compare.
  const bound = Math.ceil(share * 2 ** 32)
    .toString(16)
    .padStart(8, "0")
  return (traceId, parent) => {
    if (parent === "untrusted") return Math.random() < share
    if (byParent && parent !== "nothing") return parent === "sampled"
    return isAll || traceId.slice(16, 24) < bound
  }
}
