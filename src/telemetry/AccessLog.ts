import type { RecordSink } from "./RecordSink.js"
import type { TrafficRecord } from "./TrafficRecord.js"

/** The access log: a line for everything that is over. */
export class AccessLog implements RecordSink {
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
