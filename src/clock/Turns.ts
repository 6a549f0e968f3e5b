import { Effect } from "effect"
import { nextTurn } from "./NextTurn.js"
import { sliceTime } from "./Slices.js"

/** Divides the work of a fiber into slices, one in each turn of the event loop, by a look at the clock between its steps. */
export class Turns {
  private endOfSlice = performance.now() + sliceTime

  /** Waits for the next turn where this slice is over. */
  get pause(): Effect.Effect<void> {
    return Effect.suspend(() => (performance.now() < this.endOfSlice ? Effect.void : this.next))
  }

  private get next(): Effect.Effect<void> {
    return Effect.map(nextTurn, () => {
      this.endOfSlice = performance.now() + sliceTime
    })
  }
}
