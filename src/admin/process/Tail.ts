import { Effect, type Scope } from "effect"
import { JsonLine } from "../../log/JsonLine.js"
import { LineMemory } from "../../log/LineMemory.js"
import type { RecordSink } from "../../telemetry/RecordSink.js"
import type { RecordTaps } from "../../telemetry/RecordTaps.js"
import type { QueryRule } from "../../telemetry/Redaction.js"
import type { TrafficRecord } from "../../telemetry/TrafficRecord.js"
import { eventText } from "../fleet/EventText.js"

/** Which records are asked for. */
export interface TailQuery {
  readonly session: string | undefined
  readonly onlyFailed: boolean
}

/** So far a reader may be behind: records, and characters of them. */
export const mostWaiting = 1_000
const mostCharacters = 1_048_576

/** Records are gathered for so long, in milliseconds, so that none of them wakes a reader by itself. */
const gatherTime = 20

/** What waits for one reader. */
class TailReader {
  private waiting: Array<string> = []
  private characters = 0
  private dropped = 0
  /** Open while there is something to take. Records come by plain calls, hence its "unsafe" one, which does the same. */
  private readonly some = Effect.unsafeMakeLatch(false)

  constructor(private readonly query: TailQuery) {}

  matches(sessionId: string | undefined, failed: boolean): boolean {
    const { onlyFailed, session } = this.query
    return (session === undefined || session === sessionId) && (failed || !onlyFailed)
  }

  /** Whether it takes one more. One that it does not take is counted. */
  admits(): boolean {
    if (this.waiting.length < mostWaiting && this.characters < mostCharacters) return true
    this.dropped++
    return false
  }

  add(text: string): void {
    this.waiting.push(text)
    this.characters += text.length
    this.some.unsafeOpen()
  }

  /** Waits for what comes next, and takes all of it. Those that were dropped came behind the others. */
  get next(): Effect.Effect<string> {
    return Effect.zipRight(
      Effect.zipRight(this.some.await, Effect.sleep(gatherTime)),
      Effect.sync(() => {
        const text = this.waiting.join("")
        const lost = this.dropped === 0 ? "" : eventText("dropped", JSON.stringify({ count: this.dropped }))
        this.waiting = []
        this.characters = 0
        this.dropped = 0
        this.some.unsafeClose()
        return text + lost
      }),
    )
  }
}

/**
 * Hands records, as lines of the access log in JSON, to whoever reads them just now. A reader that is too far behind loses the newest:
 * of these, nothing is made. While nobody reads, this is no sink at all.
 */
export class Tail implements RecordSink {
  readonly readsAtOnce = true
  private readonly readers = new Set<TailReader>()
  /** Those that take the record which was just asked about: one array for all records. */
  private readonly takers: Array<TailReader> = []
  private leave: (() => void) | undefined
  private line: JsonLine | undefined
  private memory: LineMemory | undefined

  constructor(
    private readonly taps: Pick<RecordTaps, "attach">,
    private readonly rule: QueryRule,
  ) {}

  /** A reader for as long as the scope lasts: gives what waits for its next events. */
  read(query: TailQuery): Effect.Effect<Effect.Effect<string>, never, Scope.Scope> {
    const open = Effect.sync(() => {
      const reader = new TailReader(query)
      this.readers.add(reader)
      this.leave ??= this.taps.attach(this)
      return reader
    })
    return Effect.map(
      Effect.acquireRelease(open, (reader) => Effect.sync(() => this.close(reader))),
      (reader) => reader.next,
    )
  }

  private close(reader: TailReader): void {
    this.readers.delete(reader)
    if (this.readers.size > 0) return
    this.leave?.()
    this.leave = undefined
    this.line = undefined
    this.memory = undefined
  }

  wants(sessionId: string | undefined, failed: boolean): boolean {
    const { takers } = this
    takers.length = 0
    for (const reader of this.readers) if (reader.matches(sessionId, failed) && reader.admits()) takers.push(reader)
    return takers.length > 0
  }

  write(record: TrafficRecord): void {
    this.line ??= new JsonLine(this.rule)
    this.memory ??= new LineMemory()
    const length = this.line.make(record, this.memory)
    const text = eventText("record", this.memory.bytes.toString("utf8", 0, length - 1))
    for (const reader of this.takers) reader.add(text)
    // It must not keep a reader that has left.
    this.takers.length = 0
  }
}
