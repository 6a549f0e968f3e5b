// What clients told: how much there was of what, and what no fault explains.

/** Wrong bytes, and clients that were forgotten: no fault excuses these. */
const never = /^(altered|hung)/

/** What goes on for seconds by itself. */
const lasting = new Set(["websocket", "events"])

export class Ledger {
  constructor(windows) {
    this.windows = windows
    this.kinds = new Map()
    this.explained = new Map()
    this.wrong = []
    /** Not judged yet: a fault may be under way whose end is not known. */
    this.pending = []
  }

  take(outcomes) {
    for (const outcome of outcomes) {
      const [kind, , , , server] = outcome
      const counts = this.kinds.get(kind) ?? { ok: 0, left: 0, failed: 0 }
      this.kinds.set(kind, counts)
      if (server === "left") counts.left++
      else this.pending.push([counts, outcome])
    }
  }

  /** Judges what has come so far. To be called when no fault is under way. */
  judge() {
    for (const [counts, outcome] of this.pending.splice(0)) this.judgeOne(counts, outcome)
  }

  judgeOne(counts, [kind, session, from, at, server, error]) {
    if (error === undefined || error === null) {
      counts.ok++
      if (!this.windows.isRightServer(session, server, from, at))
        this.wrong.push({ kind, session, at, error: `the server of another session or time answered: ${server}` })
      return
    }
    counts.failed++
    // An answer may break off long after its server has: what was on its way comes first. Of what lives long, the time counts
    // at which it ended.
    const since = lasting.has(kind) ? at : from
    const fault = never.test(error) ? undefined : this.windows.explanation(session, error, since, at)
    if (fault === undefined) return void this.wrong.push({ kind, session, at, error })
    const key = `${fault}: ${error}`
    this.explained.set(key, (this.explained.get(key) ?? 0) + 1)
  }

  get figures() {
    return { kinds: Object.fromEntries(this.kinds), explained: Object.fromEntries([...this.explained].toSorted()) }
  }
}
