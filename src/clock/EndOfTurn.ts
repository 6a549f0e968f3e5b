/** What waits for the end of the turn. */
export interface TurnListener {
  readonly turnEnded: () => void
}

/**
 * Waits for the end of the event loop's turn: everything that the kernel had ready has been read by then. One
 * `setImmediate` serves all that wait.
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
