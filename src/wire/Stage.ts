import { types } from "node:util"
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
 *
 * `E` is what the stage itself may fail with, beside what the body before it fails with (`E2`): `Stage` alone is one that
 * never fails, and will do wherever a stage is asked for.
 */
export interface Stage<out E = never> {
  /** The body behind the stage. Trailers pass by. */
  readonly stream: <E2>(body: Stream.Stream<Uint8Array, E2>) => Stream.Stream<Uint8Array, E | E2>
  /**
   * The same without a fiber, for a stage that never waits: takes chunks and gives what it makes of them to `next`. It
   * returns what `next` returned last, or `buffered` where it keeps the chunk's bytes itself.
   */
  readonly fused?: <E2>(next: ChunkConsumer<E | E2>) => FusedConsumer<E2>
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

/** What a machine has made. Throws where it made something else: that is a bug of it, and may not get lost. */
const checked = (made: Uint8Array): Uint8Array => {
  if (types.isUint8Array(made)) return made
  throw new TypeError(
    `a stage made ${made === null ? "null" : `a value of type ${typeof made}`} of a chunk, and no Uint8Array`,
  )
}

const hasBytes = ({ byteLength }: Uint8Array): boolean => byteLength > 0

const machineStream = <E>(body: Stream.Stream<Uint8Array, E>, make: () => ChunkMachine): Stream.Stream<Uint8Array, E> =>
  Stream.suspend(() => {
    const machine = make()
    const changed = Stream.map(body, (chunk) => checked(machine.chunk(chunk)))
    const last = Stream.fromEffect(Effect.sync(() => checked(machine.end())))
    return Stream.filter(Stream.concat(changed, last), hasBytes)
  })

const machineConsumer = <E>(next: ChunkConsumer<E>, machine: ChunkMachine): ChunkConsumer<E> => {
  const pass = (made: Uint8Array): Consumption => (hasBytes(checked(made)) ? next.chunk(made) : "consumed")
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
export const perChunk = (make: () => ChunkMachine, { resizes }: { readonly resizes: boolean }): Stage => ({
  stream: (body) => machineStream(body, make),
  fused: (next) => machineConsumer(next, make()),
  resizes,
})
