/** Waits for the end of an event loop turn. */
export interface TurnListener {
  readonly turnEnded: () => void
}

/**
 * Tells its items when the turn of the event loop ends: by then everything that the kernel had ready has been read. One
 * `setImmediate` serves all items.
 */
export class EndOfTurn<Item extends TurnListener> {
  private waiting: Array<Item> = []

  /** Calls `item.turnEnded` once, when the turn is over. */
  add(item: Item): void {
    if (this.waiting.push(item) === 1) setImmediate(this.sweep)
  }

  private readonly sweep = (): void => {
    const waiting = this.waiting
    this.waiting = []
    for (const item of waiting) item.turnEnded()
  }
}
