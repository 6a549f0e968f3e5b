import { Context, type Effect } from "effect"

/** What a reload has come to. */
export interface Reloaded {
  /** Of the workers: 1 is that of the start. */
  readonly generation: number
  readonly workers: number
  /** Of their program. */
  readonly version: string
}

/** Starts the workers of the proxy anew. Fails with a phrase that says why it did not; then what was in force goes on. */
export type Reloading = Effect.Effect<Reloaded, { readonly problem: string }>

/** How the proxy is reloaded; `undefined` where it is one process. */
export class Reload extends Context.Reference<Reload>()("@ss-proxy/Reload", {
  defaultValue: (): Reloading | undefined => undefined,
}) {}
