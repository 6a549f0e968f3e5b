import { Stream } from "effect"
import { Deadline, type Deadlines, type Expirable } from "../clock/Deadlines.js"
import { ResponseBroken } from "../domain/ProxyError.js"
import { addressOf } from "../downstream/Dial.js"
import type { LiveSession } from "../sessions/LiveSession.js"
import type { ChunkConsumer, Consumption } from "../wire/ChunkSource.js"
import type { FusedConsumer, Stage } from "../wire/Stage.js"

const brokenBy = ({ id, target }: LiveSession, milliseconds: number): ResponseBroken =>
  new ResponseBroken({ sessionId: id, address: addressOf(target), problem: `idle for ${milliseconds} ms` })

/** Watches one body on callbacks. The server is not to blame while the client takes nothing. */
class IdleWatch<E> implements FusedConsumer<E>, Expirable {
  private readonly deadline = new Deadline(this)
  private isOver = false

  constructor(
    private readonly next: ChunkConsumer<ResponseBroken | E>,
    private readonly deadlines: Deadlines,
    private readonly error: () => ResponseBroken,
  ) {
    deadlines.start(this.deadline)
  }

  chunk(chunk: Uint8Array): Consumption {
    const consumption = this.next.chunk(chunk)
    // The body may have ended within that call.
    if (consumption === "full" || this.isOver) this.deadlines.stop(this.deadline)
    else this.deadlines.start(this.deadline)
    return consumption
  }

  end(trailers: ReadonlyArray<string>): void {
    this.next.end(trailers)
  }

  fail(error: E): void {
    this.next.fail(error)
  }

  defect(cause: unknown): void {
    this.next.defect(cause)
  }

  demanded(): void {
    this.deadlines.start(this.deadline)
  }

  released(): void {
    this.isOver = true
    this.deadlines.stop(this.deadline)
  }

  expire(): void {
    this.next.fail(this.error())
  }
}

/** Ends a response's content in which nothing comes for as long as these deadlines are. */
export const idleLimit = (session: LiveSession, deadlines: Deadlines): Stage<ResponseBroken> => {
  const { milliseconds } = deadlines
  return {
    stream: (body) => Stream.timeoutFail(body, () => brokenBy(session, milliseconds), milliseconds),
    fused: (next) => new IdleWatch(next, deadlines, () => brokenBy(session, milliseconds)),
    resizes: false,
  }
}
