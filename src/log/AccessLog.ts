import { JsonLine } from "./JsonLine.js"
import type { LineTaker } from "./LineMemory.js"
import type { QueryRule } from "../telemetry/Redaction.js"
import type { RecordSink } from "../telemetry/RecordSink.js"
import type { TrafficRecord } from "../telemetry/TrafficRecord.js"

/** The access log: a line for everything that is over. */
export class AccessLog implements RecordSink {
  readonly readsAtOnce = true
  /** `lineOf` makes the line of a record, without its line break; `lines` takes it. */
  constructor(
    private readonly lineOf: (record: TrafficRecord) => string,
    private readonly lines: { write(line: string): unknown },
  ) {}

  wants(): boolean {
    return true
  }

  write(record: TrafficRecord): void {
    this.lines.write(this.lineOf(record))
  }
}

/** The access log as JSON. */
export class JsonAccessLog implements RecordSink {
  readonly readsAtOnce = true
  private readonly line: JsonLine

  constructor(
    query: QueryRule,
    private readonly lines: LineTaker,
    worker?: number,
  ) {
    this.line = new JsonLine(query, worker)
  }

  wants(): boolean {
    return true
  }

  write(record: TrafficRecord): void {
    const { lines } = this
    lines.took(this.line.make(record, lines.room()))
  }
}
