import type { IncomingMessage } from "node:http"
import { Effect } from "effect"

/** So long somebody who is told why may still send what is not read any more, in milliseconds. */
const lingerTime = 2_000

/** The body of a request did not come whole: whoever sent it has left. */
export class BodyLost extends Error {}

/**
 * Reads the body of a request, a piece at a time: the next is taken from the socket when it is asked for, and TCP holds the
 * sender meanwhile.
 */
export class BodyReader {
  private waiting: ((next: Effect.Effect<Buffer | undefined, BodyLost>) => void) | undefined

  constructor(private readonly request: IncomingMessage) {
    request.pause()
    request.on("data", this.take)
    request.once("end", this.over)
    request.once("close", this.over)
    request.once("error", this.over)
  }

  /** The next bytes; none at the end. */
  readonly next: Effect.Effect<Buffer | undefined, BodyLost> = Effect.async((resume) => {
    const { request } = this
    this.waiting = resume
    if (request.readableEnded || request.destroyed) this.over()
    else request.resume()
  })

  /** Reads no more of it. What comes meanwhile is thrown away, for a moment, so that the answer is read. */
  letGo(): void {
    const { request } = this
    this.waiting = undefined
    request.removeListener("data", this.take)
    if (request.readableEnded || request.destroyed) return
    const cut = setTimeout(() => request.socket.destroy(), lingerTime).unref()
    request.once("close", () => clearTimeout(cut))
    request.resume()
  }

  private readonly take = (bytes: Buffer): void => {
    this.request.pause()
    this.tell(Effect.succeed(bytes))
  }

  private readonly over = (): void => {
    this.tell(this.request.readableEnded ? Effect.succeed(undefined) : Effect.fail(new BodyLost()))
  }

  private tell(next: Effect.Effect<Buffer | undefined, BodyLost>): void {
    const { waiting } = this
    this.waiting = undefined
    waiting?.(next)
  }
}
