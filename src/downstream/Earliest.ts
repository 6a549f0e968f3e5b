/** An item with a sequence number; the lower one came earlier. */
export interface Arrival {
  readonly arrival: number
}

/** A binary heap that gives the earliest item, whatever the order in which items are added. */
export class Earliest<Item extends Arrival> {
  private heap: Array<Item> = []

  get size(): number {
    return this.heap.length
  }

  get first(): Item | undefined {
    return this.heap[0]
  }

  add(item: Item): void {
    const { heap } = this
    let at = heap.length
    while (at > 0) {
      const above = (at - 1) >> 1
      const parent = heap[above]
      if (parent === undefined || parent.arrival <= item.arrival) break
      heap[at] = parent
      at = above
    }
    heap[at] = item
  }

  removeFirst(): void {
    const item = this.heap.pop()
    if (item !== undefined && this.heap.length > 0) this.sink(item)
  }

  /** Removes all other items. */
  keep(isWanted: (item: Item) => boolean): void {
    this.heap = this.heap.filter(isWanted).toSorted((one, other) => one.arrival - other.arrival)
  }

  /** Puts `item` at the root, and moves it down to its place. */
  private sink(item: Item): void {
    const { heap } = this
    let at = 0
    for (;;) {
      const left = heap[2 * at + 1]
      const right = heap[2 * at + 2]
      const isRight = left !== undefined && right !== undefined && right.arrival < left.arrival
      const child = isRight ? right : left
      if (child === undefined || child.arrival >= item.arrival) break
      heap[at] = child
      at = 2 * at + (isRight ? 2 : 1)
    }
    heap[at] = item
  }
}
