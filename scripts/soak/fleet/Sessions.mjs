// The sessions of `soak:fleet` in PostgreSQL, and what they were when: by that, what clients got is judged.

const columns = "session_id, downstream_server_url, downstream_server_status"

export class Sessions {
  /** `query`: runs a statement with these values. `ending`: within so many milliseconds a kill is in force, and what a change ends has ended. */
  constructor(query, ports, ending) {
    this.query = query
    this.ports = ports
    this.ending = ending
    this.made = 0
    this.targets = 0
    /** By session: its targets, one after another: from before the commit, until after the commit that ended it. */
    this.spans = new Map()
    /** By session: what was done to it. */
    this.changes = new Map()
    /** Those that are there. */
    this.ids = []
  }

  #newTarget() {
    const port = this.ports[Math.floor(Math.random() * this.ports.length)]
    return `${port}-${this.targets++}`
  }

  #urlOf(target) {
    return `http://127.0.0.1:${target.split("-")[0]}/${target}`
  }

  choose() {
    return this.ids[Math.floor(Math.random() * this.ids.length)]
  }

  async add(count = 1) {
    const rows = Array.from({ length: count }, () => [`s${this.made++}`, this.#newTarget()])
    for (const [id, target] of rows) {
      this.spans.set(id, [{ target, from: Date.now(), until: Infinity, window: 0 }])
      this.changes.set(id, [])
    }
    const urls = rows.map(([, target]) => this.#urlOf(target))
    const values = "SELECT id, url, 'active' FROM unnest($1::text[], $2::text[]) AS row (id, url)"
    const ids = rows.map(([id]) => id)
    await this.query(`INSERT INTO sessions (${columns}) ${values}`, ids, urls)
    this.ids.push(...ids)
    return ids
  }

  /** Commits a change of a session; `window`: milliseconds that the proxies have then. Gives when the commit was over. */
  async #change(id, what, window, statement, ...values) {
    const change = { what, from: Date.now(), until: Infinity }
    this.changes.get(id).push(change)
    await this.query(statement, id, ...values)
    change.until = Date.now()
    return { ...change, window }
  }

  async retarget(id, window) {
    const target = this.#newTarget()
    const spans = this.spans.get(id)
    const last = spans.at(-1)
    spans.push({ target, from: Date.now(), until: Infinity, window })
    const statement = "UPDATE sessions SET downstream_server_url = $2 WHERE session_id = $1"
    const { until } = await this.#change(id, "retarget", window, statement, this.#urlOf(target))
    Object.assign(last, { until, window })
    return { target, until }
  }

  async remove(id, window) {
    this.ids.splice(this.ids.indexOf(id), 1)
    const { until } = await this.#change(id, "remove", window, "DELETE FROM sessions WHERE session_id = $1")
    Object.assign(this.spans.get(id).at(-1), { until, window })
  }

  /** Ends all that is live on a session, by SQL. */
  kill(id) {
    const kills = "DO UPDATE SET kills = coalesce(session_control.kills, 0) + 1"
    const statement = `INSERT INTO session_control (session_id, kills) VALUES ($1, 1) ON CONFLICT (session_id) ${kills}`
    return this.#change(id, "kill", 0, statement)
  }

  /** How late an answer of a target was, in milliseconds, 0 if it was not; `undefined`: it never was the session's. */
  lateness(id, target, sent, answered) {
    const span = this.spans.get(id).find((span) => span.target === target)
    if (span === undefined || answered < span.from) return undefined
    return { late: Math.max(0, sent - span.until), window: span.window }
  }

  /** What was done to a session that may have ended what was under way in that time. */
  changeIn(id, from, until) {
    return this.changes.get(id).find((change) => change.from <= until && from <= change.until + this.ending)
  }

  /** Whether a kill should have ended, well before a message was sent on it, what was open at that time. */
  shouldBeDead(id, opened, sent) {
    const isOver = ({ from, until, what }) => what === "kill" && opened < from && until + this.ending < sent
    return this.changes.get(id).some(isOver)
  }
}
