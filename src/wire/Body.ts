import { Stream } from "effect"
import type { Fork } from "../step/Call.js"
import { ChunkSource, type Flow } from "./ChunkSource.js"
import { FusedFlow, fusedForms } from "./FusedFlow.js"
import type { Stage } from "./Stage.js"
import { StreamFlow } from "./StreamFlow.js"

/**
 * The content of a request or a response: a description of where it comes from and of the stages that it passes. Whoever
 * writes it chooses the way: in one piece, by callbacks, or as a Stream.
 */
export type Body<E> = Empty | Bytes<E> | Moving<E>

/** No content: there is none to come, or none is allowed (RFC 9110 section 6.4.1). No stage sees it. */
export interface Empty {
  readonly _tag: "Empty"
}

interface Content<E> {
  /** Whether the message says no length: its content is framed in chunks, or ends with its connection. */
  readonly chunked: boolean
  /** What it passes through, in this order. */
  readonly stages: ReadonlyArray<Stage<E>>
}

/** Content that is here, all of it. It may be sent more than once. */
export interface Bytes<E> extends Content<E> {
  readonly _tag: "Bytes"
  readonly bytes: Uint8Array
  /** Raw pairs, flat: name, value, name, value. */
  readonly trailers: ReadonlyArray<string>
}

/** Content that is still to come, some of it or all. It can be taken once. */
export interface Moving<E> extends Content<E> {
  readonly _tag: "Moving"
  /** Before any stage. Its trailers are complete once it has ended. */
  readonly source: ChunkSource<E>
}

/** No content. */
export const empty: Empty = { _tag: "Empty" }

const noStages: ReadonlyArray<never> = []
const noTrailers: ReadonlyArray<string> = []
const noBytes = new Uint8Array(0)

/** Content that is here. */
export const bytes = <E = never>(
  content: Uint8Array,
  chunked = false,
  trailers: ReadonlyArray<string> = noTrailers,
): Bytes<E> => ({ _tag: "Bytes", bytes: content, chunked, trailers, stages: noStages })

/** Content that is still to come. */
export const moving = <E>(source: ChunkSource<E>, chunked: boolean): Moving<E> => ({
  _tag: "Moving",
  source,
  chunked,
  stages: noStages,
})

/**
 * Content that a Stream makes, framed in chunks. The Stream runs when the content is sent, is pulled only as fast as the
 * receiver takes it, and is interrupted where nobody wants the rest; it fails the message where it fails. It runs again
 * where a request is sent again.
 *
 * @example
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { Body } from "ss-proxy"
 *
 * const words = Stream.make("one ", "two").pipe(Stream.encodeText)
 * console.log(await Effect.runPromise(Stream.mkString(Stream.decodeText(Body.streamOf(Body.fromStream(words))))))
 * // prints: one two
 * ```
 */
export const fromStream = <E>(stream: Stream.Stream<Uint8Array, E>): Bytes<E> => ({
  _tag: "Bytes",
  bytes: noBytes,
  chunked: true,
  trailers: noTrailers,
  stages: [{ stream: () => stream, resizes: true }],
})

/** Whether a body that passes through these may leave with another length. */
export const resizes = <E>(stages: ReadonlyArray<Stage<E>>): boolean => stages.some((stage) => stage.resizes)

/** The same body behind some more stages. */
export const through = <E>(body: Body<E>, stages: ReadonlyArray<Stage<E>>): Body<E> => {
  if (body._tag === "Empty" || stages.length === 0) return body
  return { ...body, chunked: body.chunked || resizes(stages), stages: [...body.stages, ...stages] }
}

const nobody = { pause: () => {}, resume: () => {}, cancel: () => {} }

const sourceOf = <E>(body: Bytes<E> | Moving<E>): ChunkSource<E> => {
  if (body._tag === "Moving") return body.source
  const source = new ChunkSource<E>(nobody)
  source.push(body.bytes)
  source.end(body.trailers)
  return source
}

/** A body on its way through its stages. `fork` runs the Stream, where a stage has no other form. */
export const flowOf = <E>(body: Bytes<E> | Moving<E>, fork: Fork): Flow<E> => {
  const source = sourceOf(body)
  if (body.stages.length === 0) return source
  const fused = fusedForms(body.stages)
  return fused === undefined ? new StreamFlow(source, body.stages, fork) : new FusedFlow(source, fused)
}

/** A body as a Stream, behind its stages. What is not read when the Stream ends is cancelled. */
export const streamOf = <E>(body: Body<E>): Stream.Stream<Uint8Array, E> =>
  body._tag === "Empty"
    ? Stream.empty
    : Stream.suspend(() => body.stages.reduce((behind, stage) => stage.stream(behind), sourceOf(body).stream))
