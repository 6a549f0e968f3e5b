import { Effect, Exit } from "effect"
import {
  DownstreamUpgrade,
  type RequestError,
  type UpgradeAnswer,
  type UpgradeListener,
} from "../downstream/Downstream.js"

type Handshake = Effect.Effect<UpgradeAnswer, RequestError>

class CountedUpgrade extends DownstreamUpgrade {
  private isSettled = false

  constructor(
    private readonly inner: DownstreamUpgrade,
    private readonly release: () => void,
  ) {
    super()
  }

  override start({ upgraded, fail }: UpgradeListener): void {
    this.inner.start({
      upgraded: (answer) => {
        this.isSettled = true
        if (answer._tag === "Refused") this.release()
        upgraded(answer)
      },
      fail: (error) => {
        this.release()
        fail(error)
      },
    })
  }

  override cancel(): void {
    this.inner.cancel()
    if (!this.isSettled) this.release()
  }
}

/**
 * A handshake that holds a place among the WebSockets, and gives it back (`release`) unless it succeeds: then the place
 * belongs to the WebSocket that came of it. It can be driven without a fiber where `handshake` can.
 */
export const countedUpgrade = (handshake: Handshake, release: () => void): Handshake => {
  if (handshake instanceof DownstreamUpgrade) return new CountedUpgrade(handshake, release)
  const failed = (exit: Exit.Exit<UpgradeAnswer, RequestError>) => Exit.isFailure(exit) || exit.value._tag === "Refused"
  return Effect.onExit(handshake, (exit) => Effect.sync(() => failed(exit) && release()))
}
