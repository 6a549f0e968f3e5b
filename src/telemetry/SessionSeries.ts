import { sessionMetrics } from "./Catalogue.js"
import { statusClasses, statusClassIndex } from "./Causes.js"
import { headOf, named, numberText, pair } from "./Exposition.js"
import type { RecordSink } from "./RecordSink.js"
import type { TrafficRecord } from "./TrafficRecord.js"

/** A place that nothing was done in for so long is free again, in milliseconds. */
const longestIdle = 3_600_000

/** Something that is under way. */
export interface UnderWay {
  readonly kind: "http" | "websocket"
  readonly session: { readonly id: string } | undefined
  readonly bytesIn: number
  readonly bytesOut: number
}

/** The numbers of one session, or of all that have no place. Bytes are those of what is over, and what `carry` adds. */
class SessionNumbers {
  readonly requests = statusClasses.map(() => 0)
  bytesIn = 0
  bytesOut = 0
  firstBytes = 0
  /** In milliseconds. */
  firstByteTime = 0
  /** When it was last seen, by `performance.now()`. */
  lastAt = 0

  ended({ bytesIn, bytesOut, error, kind, server, status, times: { firstByte } }: TrafficRecord): void {
    this.bytesIn += bytesIn
    this.bytesOut += bytesOut
    if (kind !== "request") return
    const place = statusClassIndex(status)
    this.requests[place] = (this.requests[place] ?? 0) + 1
    if (firstByte === undefined || server === undefined || error !== undefined) return
    this.firstBytes++
    this.firstByteTime += firstByte
  }

  /** Bytes of what is under way, which were shown elsewhere before, or are from now on. */
  carry(bytesIn: number, bytesOut: number): void {
    this.bytesIn += bytesIn
    this.bytesOut += bytesOut
  }
}

/** The same at one moment, with what is under way. */
export interface SeriesNumbers {
  readonly session: string
  readonly requests: ReadonlyArray<number>
  readonly firstBytes: number
  readonly firstByteTime: number
  bytesIn: number
  bytesOut: number
  webSockets: number
}

const shownOf = (
  session: string,
  { bytesIn, bytesOut, firstByteTime, firstBytes, requests }: SessionNumbers,
): SeriesNumbers => ({
  session,
  requests: [...requests],
  firstBytes,
  firstByteTime,
  bytesIn,
  bytesOut,
  webSockets: 0,
})

/**
 * Numbers of single sessions, for so many that there is a place for. The others are added up. A session that is known takes the
 * first free place with its first request, and keeps it until its row is gone, or until it was idle for an hour. No number that is
 * shown ever falls, but that of a place which was free meanwhile.
 */
export class SessionSeries implements RecordSink {
  readonly readsAtOnce = true
  private readonly places = new Map<string, SessionNumbers>()
  private readonly others = new SessionNumbers()
  /** There was no free place when somebody looked last: sessions without one may have been shown with the others. */
  private wasFull = false

  /** `isKnown`: whether there is a session of this id. What clients make up gets no place. */
  constructor(
    private readonly most: number,
    private readonly isKnown: (id: string) => boolean,
  ) {}

  wants(sessionId: string | undefined): boolean {
    return sessionId !== undefined
  }

  write(record: TrafficRecord): void {
    const { sessionId = "" } = record
    const numbers = this.places.get(sessionId) ?? this.newPlace(sessionId) ?? this.others
    numbers.lastAt = performance.now()
    numbers.ended(record)
  }

  /** Sessions that have a place. */
  get ids(): ReadonlyArray<string> {
    return Array.from(this.places.keys())
  }

  /**
   * The numbers at this moment. `gone`: sessions whose rows are. Those of which something is under way keep their places, and get
   * those that are free: so while there is a free one, whatever ends has been in no other place before.
   */
  read(live: ReadonlyArray<UnderWay>, gone: ReadonlySet<string>): ReadonlyArray<SeriesNumbers> {
    const now = performance.now()
    const busy = new Set(live.map(({ session }) => session?.id ?? ""))
    for (const [id, { lastAt }] of this.places)
      if (!busy.has(id) && (gone.has(id) || now - lastAt > longestIdle)) this.places.delete(id)
    const fresh = this.seat(busy, now)
    const others = shownOf("", this.others)
    const all = new Map(Array.from(this.places, ([id, numbers]) => [id, shownOf(id, numbers)]))
    for (const one of live) {
      const id = one.session?.id ?? ""
      const shown = all.get(id) ?? others
      if (one.kind === "websocket") shown.webSockets++
      const first = fresh.has(id) ? others : shown
      first.bytesIn += one.bytesIn
      first.bytesOut += one.bytesOut
      if (fresh.has(id)) this.move(id, one)
    }
    this.wasFull = this.places.size >= this.most
    return [...all.values(), others]
  }

  /** Gives places to what is under way. Those that may have been shown with the others before. */
  private seat(busy: ReadonlySet<string>, now: number): ReadonlySet<string> {
    const fresh = new Set<string>()
    for (const id of busy) {
      const known = this.places.get(id)
      const numbers = known ?? this.newPlace(id)
      if (numbers === undefined) continue
      numbers.lastAt = now
      if (known === undefined && this.wasFull) fresh.add(id)
    }
    return fresh
  }

  /** What may have been shown with the others stays there, though the rest of it is shown in its own place. */
  private move(id: string, { bytesIn, bytesOut }: UnderWay): void {
    this.places.get(id)?.carry(-bytesIn, -bytesOut)
    this.others.carry(bytesIn, bytesOut)
  }

  private newPlace(id: string): SessionNumbers | undefined {
    if (this.places.size >= this.most || !this.isKnown(id)) return undefined
    const numbers = new SessionNumbers()
    this.places.set(id, numbers)
    return numbers
  }
}

/** The text for Prometheus of the numbers of sessions, which are added one by one. */
export class SessionText {
  private readonly requests: Array<string> = []
  private readonly bytes: Array<string> = []
  private readonly webSockets: Array<string> = []
  private readonly firstByte: Array<string> = []

  add({ bytesIn, bytesOut, firstByteTime, firstBytes, requests, session, webSockets }: Readonly<SeriesNumbers>): void {
    const own = pair("session", session)
    const line = (name: string, value: number, ...labels: ReadonlyArray<string>) =>
      `${named(name, own, ...labels)}${numberText(value)}\n`
    for (const [index, status] of statusClasses.entries())
      this.requests.push(line(sessionMetrics.requests.name, requests[index] ?? 0, pair("status", status)))
    this.bytes.push(line(sessionMetrics.bytes.name, bytesIn, pair("direction", "in")))
    this.bytes.push(line(sessionMetrics.bytes.name, bytesOut, pair("direction", "out")))
    this.webSockets.push(line(sessionMetrics.webSocketsOpen.name, webSockets))
    this.firstByte.push(line(`${sessionMetrics.firstByte.name}_sum`, firstByteTime / 1_000))
    this.firstByte.push(line(`${sessionMetrics.firstByte.name}_count`, firstBytes))
  }

  get text(): string {
    const { bytes, firstByte, requests, webSocketsOpen } = sessionMetrics
    return [
      headOf(requests),
      ...this.requests,
      headOf(bytes),
      ...this.bytes,
      headOf(webSocketsOpen),
      ...this.webSockets,
      headOf(firstByte),
      ...this.firstByte,
    ].join("")
  }
}
