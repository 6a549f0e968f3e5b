import type { LiveSession } from "../sessions/LiveSession.js"

/** A node of a linked list: its neighbours, `undefined` at the ends and outside of the list. */
export interface Linked<Item> {
  before: Item | undefined
  after: Item | undefined
}

/**
 * The queue for connections of one session, in order of arrival. It is a linked list, because any item may leave it.
 */
export class WaitQueue<Item extends Linked<Item>> {
  first: Item | undefined
  private last: Item | undefined
  /** Number of connections that the session has. */
  connections = 0

  constructor(readonly session: LiveSession) {}

  append(item: Item): void {
    item.before = this.last
    if (this.last === undefined) this.first = item
    else this.last.after = item
    this.last = item
  }

  remove(item: Item): void {
    if (item.before === undefined) this.first = item.after
    else item.before.after = item.after
    if (item.after === undefined) this.last = item.before
    else item.after.before = item.before
    item.before = undefined
    item.after = undefined
  }
}
