import { Cause, Stream } from "effect"
import { type DefectPlace, type OwnError, StageRefused } from "../domain/ProxyError.js"
import type { ChunkConsumer, Consumption } from "../wire/ChunkSource.js"
import type { Stage } from "../wire/Stage.js"
import { dieAt } from "./OwnCode.js"

/** How an error of a stage's own breaks content off. It may throw where the error is not as it should be. */
export type BrokenBy<E> = (refusal: StageRefused) => E

const isOwn = (error: unknown): error is OwnError => typeof error === "object" && error !== null && "answer" in error

/** Takes what a stage gives, on callbacks. */
class OwnConsumer<E, E2> implements ChunkConsumer<E | E2 | OwnError> {
  constructor(
    private readonly next: ChunkConsumer<E | E2>,
    private readonly brokenBy: BrokenBy<E>,
  ) {}

  chunk(chunk: Uint8Array): Consumption {
    return this.next.chunk(chunk)
  }

  end(trailers: ReadonlyArray<string>): void {
    this.next.end(trailers)
  }

  fail(error: E | E2 | OwnError): void {
    this.next.fail(isOwn(error) ? this.brokenBy(new StageRefused({ error })) : error)
  }

  defect(cause: unknown): void {
    this.next.defect(cause)
  }
}

/** A stage of the program that embeds the proxy. An error of its own breaks the content off, like every other error. */
export class OwnStage<E> implements Stage<E> {
  readonly resizes: boolean
  readonly fused?: NonNullable<Stage<E>["fused"]>

  constructor(
    private readonly stage: Stage<E | OwnError>,
    private readonly place: DefectPlace,
    private readonly brokenBy: BrokenBy<E>,
  ) {
    const { fused, resizes } = stage
    this.resizes = resizes
    if (fused !== undefined)
      this.fused = <E2>(next: ChunkConsumer<E | E2>) => fused<E | E2>(new OwnConsumer<E, E2>(next, brokenBy))
  }

  readonly stream = <E2>(body: Stream.Stream<Uint8Array, E2>): Stream.Stream<Uint8Array, E | E2> =>
    Stream.mapErrorCause(
      Stream.suspend(() => this.stage.stream(body)),
      (cause) => this.reason(cause),
    )

  /** Why the content breaks off. It is interrupted where nobody wants the rest. */
  private reason<E2>(cause: Cause.Cause<E | E2 | OwnError>): Cause.Cause<E | E2> {
    const failure = Cause.failureOrCause(cause)
    if (failure._tag === "Right")
      return Cause.isInterruptedOnly(cause) ? failure.right : dieAt(this.place, failure.right)
    const error = failure.left
    if (!isOwn(error)) return Cause.fail(error)
    try {
      return Cause.fail(this.brokenBy(new StageRefused({ error })))
    } catch (thrown) {
      return dieAt(this.place, Cause.die(thrown))
    }
  }
}
