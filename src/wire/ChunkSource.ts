import { Effect, Exit, Option, Stream } from "effect"

/** Who makes the chunks: what a `ChunkSource` tells it. */
export interface ChunkProducer {
  /** Too much waits to be consumed: make no more until `resume`. */
  readonly pause: () => void
  /** There is room again. */
  readonly resume: () => void
  /** Nobody wants the rest. Called at most once, and never after the end or a failure. */
  readonly cancel: () => void
}

/**
 * What a consumer says of a chunk that it was given. `consumed`: it needs the bytes no more, and they may be overwritten.
 * `buffered`: it still needs them. `full`: the same, and it wants no other chunk before `ChunkSource.demand`.
 */
export type Consumption = "consumed" | "buffered" | "full"

/** Who takes the chunks, when they are handed over as they come and not pulled. Exactly one of the last three is called. */
export interface ChunkConsumer<E> {
  /** Takes a chunk, which has a byte at least. */
  readonly chunk: (chunk: Uint8Array) => Consumption
  /** The body is complete. `trailers` are raw pairs, flat: name, value, name, value. */
  readonly end: (trailers: ReadonlyArray<string>) => void
  /** The body broke off. */
  readonly fail: (error: E) => void
  /** Something on the way threw: the body broke off, and that is to be reported. */
  readonly defect: (cause: unknown) => void
}

/** A body on its way, as its sink takes it. */
export interface Flow<E> {
  /** Hands every chunk to `consumer` as it comes, from now on. Once. */
  readonly consume: (consumer: ChunkConsumer<E>) => void
  /** The consumer was `full`, and takes chunks again. */
  readonly demand: () => void
  /** Nobody wants the rest; the consumer is told nothing more. */
  readonly cancel: () => void
}

const noTrailers: ReadonlyArray<string> = []

/**
 * Above `manyChunks` queued chunks, small ones are joined to chunks of up to `smallChunk` bytes: tens of thousands of them
 * would take many times their size in memory, and taking them out of an array would take quadratic time.
 */
const manyChunks = 64
const smallChunk = 4_096

/**
 * A body in motion: chunks in order, then an end with trailers or a typed failure, with backpressure.
 *
 * It can be taken in three ways, one of them, once: `consume` (callbacks: no fiber, no stream), `pull` (an Effect a
 * chunk) and `stream` (for bodies that pass through stages).
 */
export class ChunkSource<E> implements Flow<E> {
  private queue: Array<Uint8Array> = []
  private queued = 0
  private paused = false
  private finished = false
  private cancelled = false
  private failure: Option.Option<E> = Option.none()
  private consumer: ChunkConsumer<E> | undefined
  private held = false
  private waiting: ((effect: Effect.Effect<Uint8Array, Option.Option<E>>) => void) | undefined

  /** Raw trailer pairs; complete once the source has ended. */
  trailers: ReadonlyArray<string> = noTrailers

  /** `highWater`: how many bytes may wait to be consumed before the producer is asked to pause. */
  constructor(
    private readonly producer: ChunkProducer,
    private readonly highWater: number = 65_536,
  ) {}

  /** Whether everything has arrived, well or badly. */
  get isFinished(): boolean {
    return this.finished
  }

  /** Producer: a chunk. Whether its bytes are still needed; where they are not, its memory may be used again. */
  push(chunk: Uint8Array): boolean {
    if (this.finished || this.cancelled || chunk.byteLength === 0) return false
    if (this.waiting !== undefined) {
      const resume = this.waiting
      this.waiting = undefined
      resume(Exit.succeed(chunk))
      return true
    }
    if (this.consumer !== undefined && !this.held) {
      const consumption = this.consumer.chunk(chunk)
      this.held = consumption === "full"
      if (this.held) this.pause()
      return consumption !== "consumed"
    }
    this.queued += chunk.byteLength
    if (this.queued >= this.highWater) this.pause()
    return this.enqueue(chunk)
  }

  /** Producer: the body is complete. */
  end(trailers: ReadonlyArray<string> = noTrailers): void {
    if (this.finished || this.cancelled) return
    this.trailers = trailers
    this.finish(Option.none())
  }

  /** Producer: the body broke off. Chunks that wait are still delivered first. */
  fail(error: E): void {
    if (this.finished || this.cancelled) return
    this.finish(Option.some(error))
  }

  /** Consumer: nobody wants the rest. */
  cancel(): void {
    if (this.cancelled) return
    this.cancelled = true
    this.queue = []
    this.queued = 0
    this.consumer = undefined
    const { waiting } = this
    this.waiting = undefined
    if (!this.finished) this.producer.cancel()
    waiting?.(Effect.interrupt)
  }

  /** Consumer: takes every chunk by callback, from now on. */
  consume(consumer: ChunkConsumer<E>): void {
    this.consumer = consumer
    this.demand()
  }

  /** Consumer: takes chunks again, after it was `full`. */
  demand(): void {
    this.held = false
    while (this.consumer !== undefined && !this.held) {
      const chunk = this.queue.shift()
      if (chunk === undefined) break
      this.queued -= chunk.byteLength
      this.held = this.consumer.chunk(chunk) === "full"
    }
    if (this.queue.length > 0) return
    if (this.finished) this.tellEnd()
    else if (!this.held) this.resume()
  }

  /** The next chunk; fails with `None` at the end and with `Some` where the body broke off. */
  readonly pull: Effect.Effect<Uint8Array, Option.Option<E>> = Effect.suspend(() => {
    const chunk = this.queue.shift()
    if (chunk !== undefined) {
      this.queued -= chunk.byteLength
      if (this.queued === 0 && !this.finished) this.resume()
      return Exit.succeed(chunk)
    }
    if (this.finished) return Exit.fail(this.failure)
    return Effect.async<Uint8Array, Option.Option<E>>((resume) => {
      this.waiting = resume
      this.resume()
      return Effect.sync(() => {
        this.waiting = undefined
      })
    })
  })

  /** The body as a Stream, for stages. What is not read when the stream ends is cancelled. */
  get stream(): Stream.Stream<Uint8Array, E> {
    return Stream.repeatEffectOption(this.pull).pipe(Stream.ensuring(Effect.sync(() => this.cancel())))
  }

  /** Whether the chunk's bytes are still needed. */
  private enqueue(chunk: Uint8Array): boolean {
    const end = this.queue.length
    const last = this.queue[end - 1]
    if (end < manyChunks || last === undefined || last.byteLength + chunk.byteLength > smallChunk) {
      this.queue.push(chunk)
      return true
    }
    this.queue[end - 1] = Buffer.concat([last, chunk])
    return false
  }

  private finish(failure: Option.Option<E>): void {
    this.finished = true
    this.failure = failure
    if (this.waiting !== undefined) {
      const resume = this.waiting
      this.waiting = undefined
      resume(Exit.fail(failure))
    } else if (this.queue.length === 0 && !this.held) {
      this.tellEnd()
    }
  }

  private tellEnd(): void {
    const consumer = this.consumer
    if (consumer === undefined) return
    this.consumer = undefined
    if (Option.isSome(this.failure)) consumer.fail(this.failure.value)
    else consumer.end(this.trailers)
  }

  private pause(): void {
    if (this.paused || this.finished) return
    this.paused = true
    this.producer.pause()
  }

  private resume(): void {
    if (!this.paused || this.finished) return
    this.paused = false
    this.producer.resume()
  }
}
