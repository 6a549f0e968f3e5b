import type { LiveSession } from "../sessions/LiveSession.js"

/** What stands in a line: its neighbours, `undefined` at the ends and outside. */
export interface Linked<Item> {
  before: Item | undefined
  after: Item | undefined
}

/** Who waits for a connection of one session, in order of arrival: a linked list, for anybody may leave it. */
export class WaitQueue<Item extends Linked<Item>> {
  first: Item | undefined
  private last: Item | undefined
  /** Connections that the session has. */
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
