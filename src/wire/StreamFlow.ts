import { Cause, Effect, Exit, Stream } from "effect"
import { errorOf, type Fork } from "../step/Call.js"
import type { ChunkConsumer, ChunkSource, Flow } from "./ChunkSource.js"
import type { Stage } from "./Stage.js"

/** A body that passes through stages as a Stream, in a fiber. */
export class StreamFlow<E> implements Flow<E> {
  private interrupt: (() => void) | undefined
  private whenDemanded: (() => void) | undefined
  private isOver = false

  constructor(
    private readonly source: ChunkSource<E>,
    private readonly stages: ReadonlyArray<Stage<E>>,
    private readonly fork: Fork,
  ) {}

  consume(sink: ChunkConsumer<E>): void {
    const staged = Stream.suspend(() => this.stages.reduce((body, stage) => stage.stream(body), this.source.stream))
    const written = Stream.runForEach(staged, (chunk) => this.pass(sink, chunk))
    this.interrupt = this.fork(written, { settled: (exit) => this.settled(sink, exit) })
    if (this.isOver) this.interrupt()
  }

  demand(): void {
    const { whenDemanded } = this
    this.whenDemanded = undefined
    whenDemanded?.()
  }

  cancel(): void {
    if (this.isOver) return
    this.isOver = true
    this.source.cancel()
    this.interrupt?.()
  }

  private pass(sink: ChunkConsumer<E>, chunk: Uint8Array): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.isOver || chunk.byteLength === 0) return Effect.void
      if (sink.chunk(chunk) !== "full") return Effect.void
      return Effect.async<void>((resume) => {
        this.whenDemanded = () => resume(Effect.void)
      })
    })
  }

  private settled(sink: ChunkConsumer<E>, exit: Exit.Exit<void, E>): void {
    if (this.isOver) return
    this.isOver = true
    // A stage may have ended the body before its source did.
    this.source.cancel()
    if (Exit.isSuccess(exit)) return sink.end(this.source.trailers)
    const error = errorOf(exit.cause)
    if (error === undefined) sink.defect(Cause.squash(exit.cause))
    else sink.fail(error)
  }
}
