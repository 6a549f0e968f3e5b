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
class IdleWatch implements FusedConsumer<ResponseBroken>, Expirable {
  private readonly deadline = new Deadline(this)
  private isOver = false

  constructor(
    private readonly next: ChunkConsumer<ResponseBroken>,
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

  fail(error: ResponseBroken): void {
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

/** Ends a response's content in which nothing comes for so long. `deadlines` are of that length, in milliseconds. */
export const idleLimit = (session: LiveSession, milliseconds: number, deadlines: Deadlines): Stage<ResponseBroken> => ({
  stream: (body) => Stream.timeoutFail(body, () => brokenBy(session, milliseconds), milliseconds),
  fused: (next) => new IdleWatch(next, deadlines, () => brokenBy(session, milliseconds)),
  resizes: false,
})
