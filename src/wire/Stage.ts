import { Effect, Stream } from "effect"
import type { ChunkConsumer, Consumption } from "./ChunkSource.js"

/** A stage in its fused form, which may also follow what its sink does. */
export interface FusedConsumer<E> extends ChunkConsumer<E> {
  /** The sink was `full`, and takes chunks again. */
  readonly demanded?: () => void
  /** The body is over, by its end or because nobody wants the rest: what is held for it is to be let go. */
  readonly released?: () => void
}

/**
 * Something that a body passes through on its way: a Stream operator. It is a description: `stream` and `fused` are
 * called anew for each body, and what they return may hold state of that body.
 */
export interface Stage<E> {
  /** The body behind the stage. Trailers pass by. */
  readonly stream: (body: Stream.Stream<Uint8Array, E>) => Stream.Stream<Uint8Array, E>
  /**
   * The same without a fiber, for a stage that never waits: takes chunks and gives what it makes of them to `next`. It
   * returns what `next` returned last, or `buffered` where it keeps the chunk's bytes itself.
   */
  readonly fused?: (next: ChunkConsumer<E>) => FusedConsumer<E>
  /** Whether a body may leave with another length: then its message has no `Content-Length` (RFC 9112 section 6.3). */
  readonly resizes: boolean
}

/** What is done with one body, a chunk at a time, without waiting. */
export interface ChunkMachine {
  /**
   * What goes on in place of a chunk; nothing where it is empty. The chunk's memory is used again after this: what is
   * kept of it is to be copied.
   */
  readonly chunk: (chunk: Uint8Array) => Uint8Array
  /** What goes on behind the last chunk; nothing where it is empty. */
  readonly end: () => Uint8Array
}

const hasBytes = ({ byteLength }: Uint8Array): boolean => byteLength > 0

const machineStream = <E>(body: Stream.Stream<Uint8Array, E>, make: () => ChunkMachine): Stream.Stream<Uint8Array, E> =>
  Stream.suspend(() => {
    const machine = make()
    const changed = Stream.map(body, (chunk) => machine.chunk(chunk))
    const last = Stream.fromEffect(Effect.sync(() => machine.end()))
    return Stream.filter(Stream.concat(changed, last), hasBytes)
  })

const machineConsumer = <E>(next: ChunkConsumer<E>, machine: ChunkMachine): ChunkConsumer<E> => {
  const pass = (made: Uint8Array): Consumption => (hasBytes(made) ? next.chunk(made) : "consumed")
  return {
    chunk: (chunk) => pass(machine.chunk(chunk)),
    end: (trailers) => {
      pass(machine.end())
      next.end(trailers)
    },
    fail: (error) => next.fail(error),
    defect: (cause) => next.defect(cause),
  }
}

/** A stage in both forms, from what is done with one chunk after another. `make` is called once for each body. */
export const perChunk = <E>(make: () => ChunkMachine, { resizes }: { readonly resizes: boolean }): Stage<E> => ({
  stream: (body) => machineStream(body, make),
  fused: (next) => machineConsumer(next, make()),
  resizes,
})
