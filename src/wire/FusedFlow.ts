import type { ChunkConsumer, ChunkSource, Flow, Reception } from "./ChunkSource.js"
import type { FusedConsumer, Stage } from "./Stage.js"

type FusedForm<E> = NonNullable<Stage<E>["fused"]>

/** The fused forms of stages; `undefined` where one of them has none. */
export const fusedForms = <E>(stages: ReadonlyArray<Stage<E>>): ReadonlyArray<FusedForm<E>> | undefined => {
  const forms = stages.flatMap(({ fused }) => (fused === undefined ? [] : [fused]))
  return forms.length === stages.length ? forms : undefined
}

/**
 * A body that passes through stages on callbacks. Stages may be other people's code: one that throws ends this body, and
 * one that ends it early has the rest cancelled.
 */
export class FusedFlow<E> implements Flow<E> {
  private readonly consumers: Array<FusedConsumer<E>> = []
  private isOver = false

  constructor(
    private readonly source: ChunkSource<E>,
    private readonly forms: ReadonlyArray<FusedForm<E>>,
  ) {}

  consume(sink: ChunkConsumer<E>): void {
    const last = this.guarded(sink)
    const first = this.forms.reduceRight((next, form) => this.built(form(next)), last)
    const attempt = (step: () => void): void => {
      try {
        step()
      } catch (cause) {
        last.defect(cause)
      }
    }
    this.source.consume({
      chunk: (chunk) => {
        let reception: Reception = "used"
        attempt(() => {
          reception = first.chunk(chunk)
        })
        return reception
      },
      end: (trailers) => attempt(() => first.end(trailers)),
      fail: (error) => attempt(() => first.fail(error)),
      defect: (cause) => attempt(() => first.defect(cause)),
    })
  }

  demand(): void {
    for (const consumer of this.consumers) consumer.demanded?.()
    this.source.demand()
  }

  cancel(): void {
    if (this.isOver) return
    this.finish()
  }

  private built(consumer: FusedConsumer<E>): FusedConsumer<E> {
    this.consumers.push(consumer)
    return consumer
  }

  /** The sink, which hears of one end and of nothing behind it. */
  private guarded(sink: ChunkConsumer<E>): ChunkConsumer<E> {
    const ending =
      <A>(tell: (last: A) => void) =>
      (last: A): void => {
        if (this.isOver) return
        this.finish()
        tell(last)
      }
    return {
      chunk: (chunk) => (this.isOver ? "used" : sink.chunk(chunk)),
      end: ending((trailers) => sink.end(trailers)),
      fail: ending((error) => sink.fail(error)),
      defect: ending((cause) => sink.defect(cause)),
    }
  }

  private finish(): void {
    this.isOver = true
    this.source.cancel()
    for (const consumer of this.consumers) consumer.released?.()
  }
}
