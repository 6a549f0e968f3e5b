import { Effect } from "effect"
import type { Answered, CountMemory } from "../admin/fleet/Fleet.js"
import type { AnswerOf } from "../admin/fleet/Questions.js"
import { firstOfEach, metrics } from "../telemetry/Catalogue.js"
import { statusClasses } from "../telemetry/Causes.js"

/** Whether a cell only grows. */
const grows = new Uint8Array(firstOfEach)
for (const { offset, series, type, width } of metrics)
  if (type !== "gauge" && offset < firstOfEach) grows.fill(1, offset, offset + series * width)

/**
 * What workers have counted: of each the last that is known of it, and of those that have ended all that they have counted. So
 * nothing that is counted falls when a worker does not answer, or is gone.
 */
export class CountLedger {
  private readonly last = new Map<string, Float64Array>()
  private readonly past = new Float64Array(firstOfEach)

  /** A worker has come, which has counted nothing yet. What others say is not taken: it may come behind their end. */
  came(worker: string): void {
    this.last.set(worker, new Float64Array(firstOfEach))
  }

  /** A worker tells its numbers. Some are only known to some of its answers: of those that grow the largest counts. */
  told(worker: string, numbers: Float64Array): void {
    const last = this.last.get(worker)
    if (last === undefined) return
    for (let cell = 0; cell < firstOfEach; cell++) {
      const number = numbers[cell] ?? 0
      if (grows[cell] === 0) last[cell] = number
      else if (number > (last[cell] ?? 0)) last[cell] = number
    }
  }

  /** It has ended. */
  gone(worker: string): void {
    const last = this.last.get(worker)
    if (last === undefined) return
    this.last.delete(worker)
    for (let cell = 0; cell < firstOfEach; cell++)
      if (grows[cell] === 1) this.past[cell] = (this.past[cell] ?? 0) + (last[cell] ?? 0)
  }

  /** All together. */
  get total(): Float64Array {
    const total = this.past.slice()
    for (const last of this.last.values())
      for (let cell = 0; cell < firstOfEach; cell++) total[cell] = (total[cell] ?? 0) + (last[cell] ?? 0)
    return total
  }
}

type SessionNumbers = AnswerOf<"series">[number]

/** So long a session keeps its numbers of which no worker says anything any more, in milliseconds. */
const longestIdle = 3_600_000

/** Of a session, by all workers together, since the first of them said something of it. */
class SessionTotal {
  readonly requests = statusClasses.map(() => 0)
  bytesIn = 0
  bytesOut = 0
  firstBytes = 0
  firstByteTime = 0
  /** When a worker said something of it last. */
  saidAt = 0

  /** Adds what has come since `before`. One that has fallen began anew meanwhile. */
  add(now: SessionNumbers, before: SessionNumbers | undefined): void {
    const more = (number: (of: SessionNumbers) => number): number => {
      const [current, last] = [number(now), before === undefined ? 0 : number(before)]
      return current < last ? current : current - last
    }
    for (const place of this.requests.keys())
      this.requests[place] = (this.requests[place] ?? 0) + more(({ requests }) => requests[place] ?? 0)
    this.bytesIn += more(({ bytesIn }) => bytesIn)
    this.bytesOut += more(({ bytesOut }) => bytesOut)
    this.firstBytes += more(({ firstBytes }) => firstBytes)
    this.firstByteTime += more(({ firstByteTime }) => firstByteTime)
  }
}

/**
 * The numbers of sessions in the metrics, of all workers together: they are added up as they grow, so that none falls when a worker
 * is gone. Of so many sessions; those for which there is no place count with the others, whose name is empty.
 */
export class SessionLedger {
  private readonly places = new Map<string, SessionTotal>()
  private readonly others = new SessionTotal()
  /** By worker and session. */
  private readonly last = new Map<string, ReadonlyMap<string, SessionNumbers>>()

  constructor(private readonly most: number) {}

  came(worker: string): void {
    this.last.set(worker, new Map())
  }

  told(worker: string, all: ReadonlyArray<SessionNumbers>, now: number): void {
    const before = this.last.get(worker)
    if (before === undefined) return
    for (const one of all) {
      const total = this.totalOf(one.session)
      total.add(one, before.get(one.session))
      total.saidAt = now
    }
    this.last.set(worker, new Map(all.map((one) => [one.session, one])))
  }

  gone(worker: string): void {
    this.last.delete(worker)
  }

  /** Sessions of which no worker says anything any more. */
  get silent(): ReadonlyArray<string> {
    const said = new Set(Array.from(this.last.values()).flatMap((sessions) => Array.from(sessions.keys())))
    return Array.from(this.places.keys()).filter((session) => !said.has(session))
  }

  /** Gives up the places of sessions that are silent, and have no row any more or were idle for an hour. */
  forget(gone: ReadonlySet<string>, now: number): void {
    for (const session of this.silent)
      if (gone.has(session) || now - (this.places.get(session)?.saidAt ?? 0) > longestIdle) this.places.delete(session)
  }

  get all(): ReadonlyArray<SessionNumbers> {
    const open = new Map<string, number>()
    for (const sessions of this.last.values())
      for (const { session, webSockets } of sessions.values()) {
        const place = this.places.has(session) ? session : ""
        open.set(place, (open.get(place) ?? 0) + webSockets)
      }
    return Array.from([...this.places, ["", this.others] as const], ([session, total]) => ({
      session,
      requests: [...total.requests],
      bytesIn: total.bytesIn,
      bytesOut: total.bytesOut,
      firstBytes: total.firstBytes,
      firstByteTime: total.firstByteTime,
      webSockets: open.get(session) ?? 0,
    }))
  }

  private totalOf(session: string): SessionTotal {
    if (session === "") return this.others
    const known = this.places.get(session)
    if (known !== undefined) return known
    if (this.places.size >= this.most) return this.others
    const total = new SessionTotal()
    this.places.set(session, total)
    return total
  }
}

const nameOf = ({ from }: Answered<unknown>): string => from?.name ?? ""

/** What is remembered of workers. `goneOf`: which of some sessions have no row any more. */
export class FleetMemory implements CountMemory {
  private readonly counts = new CountLedger()
  private readonly sessions: SessionLedger

  constructor(
    most: number,
    private readonly goneOf: (ids: ReadonlyArray<string>) => Effect.Effect<ReadonlySet<string>>,
  ) {
    this.sessions = new SessionLedger(most)
  }

  came(worker: string): void {
    this.counts.came(worker)
    this.sessions.came(worker)
  }

  gone(worker: string): void {
    this.counts.gone(worker)
    this.sessions.gone(worker)
  }

  /** The last that a worker says. */
  told(worker: string, counted: Float64Array, series: ReadonlyArray<SessionNumbers>): void {
    this.counts.told(worker, counted)
    this.sessions.told(worker, series, performance.now())
  }

  counted(found: ReadonlyArray<Answered<Float64Array>>): Float64Array {
    for (const one of found) this.counts.told(nameOf(one), one.answer)
    return this.counts.total
  }

  series(found: ReadonlyArray<Answered<ReadonlyArray<SessionNumbers>>>): Effect.Effect<AnswerOf<"series">> {
    return Effect.gen(this, function* () {
      for (const one of found) this.sessions.told(nameOf(one), one.answer, performance.now())
      const { silent } = this.sessions
      const gone = silent.length === 0 ? new Set<string>() : yield* this.goneOf(silent)
      this.sessions.forget(gone, performance.now())
      return this.sessions.all
    })
  }
}
