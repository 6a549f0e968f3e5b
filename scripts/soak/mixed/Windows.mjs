// Which faults were under way on which session, and when: each error that a client saw has to be explained by one.
import { now } from "./Random.mjs"

/** How long the effects of a fault may be seen behind its end, in milliseconds. */
const echo = 2_500
/** How long the old server of a session may be asked behind a change, in milliseconds. */
const delay = 250

export class Windows {
  constructor() {
    this.windows = []
    this.targets = new Map()
    this.counts = new Map()
  }

  /**
   * Does `work`, which is a fault of a session, of the server on a port, or of all. `may`: the errors that clients may see
   * because of it, a pattern; none if there may be none.
   */
  async during(fault, { session, port }, may, work) {
    const window = { fault, session, port, may, from: now(), to: Infinity }
    this.counts.set(fault, (this.counts.get(fault) ?? 0) + 1)
    this.windows.push(window)
    try {
      return await work()
    } finally {
      window.to = now()
    }
  }

  /**
   * The fault that explains what a client of a session saw at a time; `undefined`: none does. `from`: since when that can
   * have been.
   */
  explanation(session, error, from, at) {
    return this.windows.find(
      (window) =>
        window.from <= at && from <= window.to + echo && window.may?.test(error) && this.isStruck(session, window),
    )?.fault
  }

  /** The faults that were under way at a time or a little before, for whoever looks for the cause of what none explains. */
  around(at) {
    const near = this.windows.filter(({ from, to }) => from <= at && at <= to + 2 * echo)
    return near.map(({ fault, port, session }) => [fault, session ?? port].filter(Boolean).join(" "))
  }

  isStruck(id, { from, port, session }) {
    if (session !== undefined) return session === id
    // A session may have been moved to the server, or away from it, meanwhile.
    return port === undefined || this.historyOf(id).some((target) => target.port === port && target.to + echo >= from)
  }

  historyOf(session) {
    const history = this.targets.get(session) ?? []
    this.targets.set(session, history)
    return history
  }

  /** From now on a session's server may be the one on this port; the one before may be it until the result is called. */
  move(session, port) {
    const history = this.historyOf(session)
    const last = history.at(-1)
    history.push({ port, from: now(), to: Infinity })
    return () => {
      if (last !== undefined) last.to = now()
    }
  }

  /** Whether a request that was under way from `from` to `at` may have been answered by this server. */
  isRightServer(session, port, from, at) {
    return this.historyOf(session).some(
      (target) => target.port === port && target.from <= at && from <= target.to + delay,
    )
  }

  /** The server that a session has now. */
  portOf(session) {
    return this.historyOf(session).at(-1)?.port
  }

  /** How often each fault was. */
  get figures() {
    return Object.fromEntries([...this.counts].toSorted())
  }
}
