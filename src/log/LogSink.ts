import { LogLevel } from "effect"
import { accessFields } from "./AccessLine.js"
import type { LineLog } from "./LineLog.js"
import type { QueryRule } from "../telemetry/Redaction.js"
import type { RecordSink } from "../telemetry/RecordSink.js"
import type { TrafficRecord } from "../telemetry/TrafficRecord.js"

const messages: { readonly [Kind in TrafficRecord["kind"]]: string } = {
  request: "request",
  websocket: "websocket closed",
  refused: "refused",
}

/** The fields of a record as annotations of a line of Effect's log, which has a time and a message of its own. */
export const annotationsOf = (record: TrafficRecord, query: QueryRule): Readonly<Record<string, unknown>> =>
  Object.fromEntries(accessFields(record, query).filter(([name]) => name !== "time" && name !== "kind"))

/** What is over as lines of Effect's log, for programs that embed the proxy. */
export class LogSink implements RecordSink {
  readonly readsAtOnce = true
  constructor(
    private readonly log: LineLog,
    private readonly query: QueryRule,
  ) {}

  wants(): boolean {
    return this.log.has(LogLevel.Info)
  }

  write(record: TrafficRecord): void {
    this.log.write(LogLevel.Info, messages[record.kind], annotationsOf(record, this.query))
  }
}
