import { Effect, Exit, Option, Stream } from "effect"

/** Makes the chunks of a `ChunkSource`, which calls these functions. */
export interface ChunkProducer {
  /** Backpressure: stop producing until `resume`. */
  readonly pause: () => void
  /** Continue. */
  readonly resume: () => void
  /** The rest is not needed. Called at most once, and never after the end or a failure. */
  readonly cancel: () => void
}

/**
 * A consumer's reply to a chunk. `consumed`: it does not need the bytes any more, and they may be overwritten.
 * `buffered`: it still needs them. `full`: it still needs them, and takes no other chunk before `ChunkSource.demand`.
 */
export type Consumption = "consumed" | "buffered" | "full"

/** Takes chunks by callback. Exactly one of the last three functions is called, unless the flow is cancelled. */
export interface ChunkConsumer<E> {
  /** Takes a chunk of at least one byte. */
  readonly chunk: (chunk: Uint8Array) => Consumption
  /** The body is complete. `trailers` are raw pairs, flat: name, value, name, value. */
  readonly end: (trailers: ReadonlyArray<string>) => void
  /** The body broke off. */
  readonly fail: (error: E) => void
  /** A defect: code on the way threw. The body broke off, and the cause must be reported. */
  readonly defect: (cause: unknown) => void
}

/** A body in motion, as a consumer sees it. */
export interface Flow<E> {
  /** From now on hands every chunk to `consumer`. Call it once. */
  readonly consume: (consumer: ChunkConsumer<E>) => void
  /** The consumer was `full`, and takes chunks again. */
  readonly demand: () => void
  /** The rest is not needed. The consumer is not called any more. */
  readonly cancel: () => void
}

const noTrailers: ReadonlyArray<string> = []

/**
 * Above `manyChunks` queued chunks, small ones are joined to chunks of up to `smallChunk` bytes. Otherwise tens of
 * thousands of small chunks would need many times their size in memory, and shifting them out of an array would take
 * quadratic time.
 */
const manyChunks = 64
const smallChunk = 4_096

/**
 * A body in motion with backpressure: chunks in order, then an end with trailers or a typed failure.
 *
 * It can be consumed once, in one of three ways: `consume` (callbacks without a fiber), `pull` (an Effect for each
 * chunk) or `stream` (for bodies that pass stages).
 */
export class ChunkSource<E> implements Flow<E> {
  private queue: Array<Uint8Array> = []
  private queued = 0
  private paused = false
  private finished = false
  private cancelled = false
  private failure: Option.Option<E> = Option.none()
  private consumer: ChunkConsumer<E> | undefined
  private isConsumerFull = false
  private pendingPull: ((effect: Effect.Effect<Uint8Array, Option.Option<E>>) => void) | undefined

  /** Raw trailer pairs; complete once the source has ended. */
  trailers: ReadonlyArray<string> = noTrailers

  /** `highWater`: high-water mark, the number of queued bytes at which the producer is paused. */
  constructor(
    private readonly producer: ChunkProducer,
    private readonly highWater: number = 65_536,
  ) {}

  /** Whether the producer is done, by an end or a failure. */
  get isFinished(): boolean {
    return this.finished
  }

  /** Whether nothing has come yet. */
  get isUntouched(): boolean {
    return !this.finished && this.consumer === undefined && this.queued === 0
  }

  /** Producer: a chunk. Returns whether its bytes are still needed; if not, its memory may be reused. */
  push(chunk: Uint8Array): boolean {
    if (this.finished || this.cancelled || chunk.byteLength === 0) return false
    if (this.pendingPull !== undefined) {
      const resume = this.pendingPull
      this.pendingPull = undefined
      resume(Exit.succeed(chunk))
      return true
    }
    if (this.consumer !== undefined && !this.isConsumerFull) {
      const consumption = this.consumer.chunk(chunk)
      this.isConsumerFull = consumption === "full"
      if (this.isConsumerFull) this.pause()
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

  /** Producer: the body broke off. Queued chunks are delivered first. */
  fail(error: E): void {
    if (this.finished || this.cancelled) return
    this.finish(Option.some(error))
  }

  /** Consumer: the rest is not needed. */
  cancel(): void {
    if (this.cancelled) return
    this.cancelled = true
    this.queue = []
    this.queued = 0
    this.consumer = undefined
    const { pendingPull } = this
    this.pendingPull = undefined
    if (!this.finished) this.producer.cancel()
    pendingPull?.(Effect.interrupt)
  }

  /** Consumer: from now on takes every chunk by callback. */
  consume(consumer: ChunkConsumer<E>): void {
    this.consumer = consumer
    this.demand()
  }

  /** Consumer: takes chunks again, after it was `full`. */
  demand(): void {
    this.isConsumerFull = false
    while (this.consumer !== undefined && !this.isConsumerFull) {
      const chunk = this.queue.shift()
      if (chunk === undefined) break
      this.queued -= chunk.byteLength
      this.isConsumerFull = this.consumer.chunk(chunk) === "full"
    }
    if (this.queue.length > 0) return
    if (this.finished) this.tellEnd()
    else if (!this.isConsumerFull) this.resume()
  }

  /** The next chunk; fails with `None` at the end and with `Some` if the body broke off. */
  readonly pull: Effect.Effect<Uint8Array, Option.Option<E>> = Effect.suspend(() => {
    const chunk = this.queue.shift()
    if (chunk !== undefined) {
      this.queued -= chunk.byteLength
      if (this.queued === 0 && !this.finished) this.resume()
      return Exit.succeed(chunk)
    }
    if (this.finished) return Exit.fail(this.failure)
    return Effect.async<Uint8Array, Option.Option<E>>((resume) => {
      this.pendingPull = resume
      this.resume()
      return Effect.sync(() => {
        this.pendingPull = undefined
      })
    })
  })

  /** The body as a Stream, for stages. If the Stream ends early, the rest is cancelled. */
  get stream(): Stream.Stream<Uint8Array, E> {
    return Stream.repeatEffectOption(this.pull).pipe(Stream.ensuring(Effect.sync(() => this.cancel())))
  }

  /** Returns whether the chunk's bytes are still needed. */
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
    if (this.pendingPull !== undefined) {
      const resume = this.pendingPull
      this.pendingPull = undefined
      resume(Exit.fail(failure))
    } else if (this.queue.length === 0 && !this.isConsumerFull) {
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
