import type { ChunkConsumer, ChunkSource, Flow, Consumption } from "./ChunkSource.js"
import type { FusedConsumer, Stage } from "./Stage.js"

type FusedForm<E> = NonNullable<Stage<E>["fused"]>

/** The fused forms of stages; `undefined` where one of them has none. */
export const fusedForms = <E>(stages: ReadonlyArray<Stage<E>>): ReadonlyArray<FusedForm<E>> | undefined => {
  const forms = stages.flatMap(({ fused }) => (fused === undefined ? [] : [fused]))
  return forms.length === stages.length ? forms : undefined
}

/**
 * A body that passes through stages on callbacks. Stages may be other people's code: one that throws, wherever it is called,
 * ends this body and nothing else, and one that ends it early has the rest cancelled.
 */
export class FusedFlow<E> implements Flow<E> {
  private readonly consumers: Array<FusedConsumer<E>> = []
  private last: ChunkConsumer<E> | undefined
  private isOver = false

  constructor(
    private readonly source: ChunkSource<E>,
    private readonly forms: ReadonlyArray<FusedForm<E>>,
  ) {}

  consume(sink: ChunkConsumer<E>): void {
    const last = this.guarded(sink)
    this.last = last
    this.attempt(() => {
      const first = this.forms.reduceRight((next, form) => this.built(form<E>(next)), last)
      this.source.consume(this.attempting(first))
    })
  }

  demand(): void {
    if (this.isOver) return
    this.attempt(() => {
      for (const consumer of this.consumers) consumer.demanded?.()
    })
    this.source.demand()
  }

  cancel(): void {
    if (!this.isOver) this.finish()
  }

  private built(consumer: FusedConsumer<E>): FusedConsumer<E> {
    this.consumers.push(consumer)
    return consumer
  }

  /** The first stage, none of whose bugs gets out of here. */
  private attempting(first: ChunkConsumer<E>): ChunkConsumer<E> {
    return {
      chunk: (chunk) => {
        let consumption: Consumption = "consumed"
        this.attempt(() => {
          consumption = first.chunk(chunk)
        })
        return consumption
      },
      end: (trailers) => this.attempt(() => first.end(trailers)),
      fail: (error) => this.attempt(() => first.fail(error)),
      defect: (cause) => this.attempt(() => first.defect(cause)),
    }
  }

  private attempt(step: () => void): void {
    try {
      step()
    } catch (cause) {
      this.last?.defect(cause)
    }
  }

  /** The sink, which hears of one end and of nothing behind it. A chunk without bytes is none: on the wire it would end the body. */
  private guarded(sink: ChunkConsumer<E>): ChunkConsumer<E> {
    const ending =
      <A>(tell: (last: A) => void) =>
      (last: A): void => {
        if (this.isOver) return
        const bugs = this.finish()
        if (bugs.length === 0) tell(last)
        else sink.defect(bugs[0])
      }
    return {
      chunk: (chunk) => (this.isOver || chunk.byteLength === 0 ? "consumed" : sink.chunk(chunk)),
      end: ending((trailers) => sink.end(trailers)),
      fail: ending((error) => sink.fail(error)),
      defect: ending((cause) => sink.defect(cause)),
    }
  }

  /** Lets everything go, and returns what was thrown at that. */
  private finish(): ReadonlyArray<unknown> {
    const bugs: Array<unknown> = []
    this.isOver = true
    this.source.cancel()
    for (const consumer of this.consumers) {
      try {
        consumer.released?.()
      } catch (cause) {
        bugs.push(cause)
      }
    }
    return bugs
  }
}
