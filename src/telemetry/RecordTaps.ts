import { Context, Effect, Layer, type Scope } from "effect"
import type { RecordSink } from "./RecordSink.js"

/**
 * Sinks that come and go while the proxy runs: of somebody who looks. Whoever has records hands them to a list of sinks that it
 * has from here; while nobody looks, there are no others in it than before.
 */
export class RecordTaps {
  private readonly lists = new Set<Array<RecordSink>>()
  private readonly attached: Array<RecordSink> = []

  /** A list that begins with these sinks, and has those that are attached at any moment behind them. */
  readonly join = (own: ReadonlyArray<RecordSink>): Effect.Effect<ReadonlyArray<RecordSink>, never, Scope.Scope> =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const list = [...own, ...this.attached]
        this.lists.add(list)
        return list
      }),
      (list) => Effect.sync(() => this.lists.delete(list)),
    )

  /** Hands records to `sink`, too, until what this returns is called. */
  attach(sink: RecordSink): () => void {
    const all = [this.attached, ...this.lists]
    for (const list of all) list.push(sink)
    return () => {
      for (const list of [this.attached, ...this.lists]) {
        const index = list.lastIndexOf(sink)
        if (index >= 0) list.splice(index, 1)
      }
    }
  }
}

/** The taps of the proxy that this is part of. Without the Layer there are some, too, so that a part of it also stands alone. */
export class Taps extends Context.Reference<Taps>()("@ss-proxy/Taps", {
  defaultValue: (): RecordTaps => new RecordTaps(),
}) {
  static readonly layer: Layer.Layer<Taps> = Layer.sync(Taps, () => new RecordTaps())
}
