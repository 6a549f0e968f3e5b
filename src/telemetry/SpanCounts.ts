import { Context } from "effect"

/** What has become of spans since the process began. Of those that nobody sampled there are none. */
export interface SpanCounter {
  /** The collector has taken them. */
  sent: number
  /** The collector has refused them, or could not be reached. */
  failed: number
  /** There were more than wait for the collector at a time. */
  dropped: number
}

/** Where whoever sends spans counts them. Plain additions, read by whoever wants to know. */
export class SpanCounts extends Context.Reference<SpanCounts>()("@ss-proxy/SpanCounts", {
  defaultValue: (): SpanCounter => ({ sent: 0, failed: 0, dropped: 0 }),
}) {}
