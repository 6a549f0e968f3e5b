// Judges what the clients of `soak:fleet` tell, by what the sessions were at that time. To be asked when all is over.

/** Clocks of two processes and their turns may differ by so much, in milliseconds. */
const tolerance = 20

const newKind = () => ({ well: 0, failed: 0 })

export class Judge {
  /** `strike`: which proxy was killed and when. */
  constructor(sessions, strike) {
    this.sessions = sessions
    this.strike = strike
    this.kinds = {}
    this.byProxy = {}
    /** What changes ended. */
    this.explained = {}
    this.wrong = []
    this.closedByStrike = 0
    /** By kind of change: milliseconds after its commit at which WebSockets ended. */
    this.closing = {}
    this.latest = 0
    this.late = 0
  }

  take([kind, id, sent, answered, target, problem, proxy, opened]) {
    const counts = (this.kinds[kind] ??= newKind())
    if (kind === "closed") return this.#closed({ counts, id, answered, problem, proxy })
    if (problem !== undefined) return this.#failed({ counts, kind, id, sent, answered, problem })
    counts.well++
    if (proxy !== undefined) this.byProxy[proxy] = (this.byProxy[proxy] ?? 0) + 1
    this.#answeredBy({ kind, id, sent, answered, target, proxy })
    if (opened !== undefined && this.sessions.shouldBeDead(id, opened, sent))
      this.wrong.push(`a WebSocket of ${id} went on after a kill`)
  }

  #explain(what) {
    this.explained[what] = (this.explained[what] ?? 0) + 1
  }

  #answeredBy({ kind, id, sent, answered, target, proxy }) {
    const lateness = this.sessions.lateness(id, target, sent - tolerance, answered + tolerance)
    if (lateness === undefined) return void this.wrong.push(`${kind} of ${id}: ${target} is a stranger (${proxy})`)
    if (lateness.late === 0) return
    this.late++
    this.latest = Math.max(this.latest, lateness.late)
    // A WebSocket may live a little longer than requests go to its server.
    const window = kind === "message" ? Math.max(lateness.window, this.sessions.ending) : lateness.window
    if (lateness.late > window)
      this.wrong.push(`${kind} of ${id}: ${target} was left ${lateness.late} ms before it was asked (${proxy})`)
  }

  #failed({ counts, kind, id, sent, answered, problem }) {
    const change = this.sessions.changeIn(id, sent - tolerance, answered + tolerance)
    if (change !== undefined) return this.#explain(`${kind}, ${change.what}: ${problem}`)
    counts.failed++
    this.wrong.push(`${kind} of ${id} at ${new Date(answered).toISOString()}: ${problem}`)
  }

  /** A change says why in a close frame: 1006, a connection that breaks off, is of the proxy that was killed alone. */
  #closed({ counts, id, answered, problem, proxy }) {
    const change = this.sessions.changeIn(id, answered - tolerance, answered + tolerance)
    const { at, back, name } = this.strike
    if (problem !== "1006" && change !== undefined) {
      this.#explain(`WebSocket, ${change.what}: ${problem}`)
      ;(this.closing[change.what] ??= []).push(Math.max(0, answered - change.until))
    } else if (problem === "1006" && proxy === name && answered > at - tolerance && answered < back)
      this.closedByStrike++
    else {
      counts.failed++
      const when = new Date(answered).toISOString()
      return void this.wrong.push(`a WebSocket of ${id} (${proxy}) was closed with ${problem} at ${when}`)
    }
    counts.well++
  }
}
