import { type EndedSpan, SpanBatch } from "./SpanBatch.js"
import type { Batching } from "./TraceVariables.js"

/** Sends a batch of so many spans; calls `done` when that has come to an end, well or badly. */
export type SendBatch = (spans: number, request: Uint8Array, done: () => void) => void

/** The least room of a batch, in bytes: of a dozen spans. */
const leastRoom = 16_384

/**
 * Spans that wait for their collector, in batches. One batch is on its way at a time: what comes meanwhile waits. A batch goes
 * out as soon as it is full, and after a while in any case. Plain calls and one timer, because most spans are one of hundreds.
 */
export class SpanQueue {
  /** Spans that are not on their way. */
  waiting = 0
  private readonly full: Array<SpanBatch> = []
  private open: SpanBatch | undefined
  /** What the last batch took, in bytes: the next is much the same. */
  private room = leastRoom
  private isSending = false
  private timer: NodeJS.Timeout | undefined

  /** `origin`: attributes of where all spans come from. */
  constructor(
    private readonly batching: Batching,
    private readonly origin: ReadonlyMap<string, unknown>,
    private readonly send: SendBatch,
  ) {}

  /** Takes a span, and holds nothing of it but bytes. `false`: there is no place for it. */
  take(span: EndedSpan): boolean {
    if (this.waiting >= this.batching.mostWaiting) return false
    this.waiting++
    this.open ??= new SpanBatch(this.origin, this.room)
    this.open.add(span)
    if (this.open.spans >= this.batching.mostAtOnce) this.close(this.open)
    this.arrange()
    return true
  }

  /** Sends all that waits, at once. */
  flush(): void {
    if (this.open !== undefined) this.close(this.open)
    while (this.full.length > 0) this.sendFirst(() => {})
  }

  /** What still waits will not be sent. */
  stop(): void {
    clearTimeout(this.timer)
  }

  private close(batch: SpanBatch): void {
    this.open = undefined
    this.full.push(batch)
  }

  private arrange(): void {
    if (this.isSending) return
    if (this.full.length > 0) this.sendNext()
    else if (this.open !== undefined) this.timer ??= setTimeout(this.due, this.batching.delay).unref()
  }

  private readonly due = (): void => {
    if (this.open !== undefined) this.close(this.open)
    this.sendNext()
  }

  private sendNext(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    this.isSending = true
    this.sendFirst(() => {
      this.isSending = false
      this.arrange()
    })
  }

  private sendFirst(done: () => void): void {
    const batch = this.full.shift()
    if (batch === undefined) return done()
    const request = batch.finished()
    this.room = Math.max(leastRoom, request.byteLength)
    this.waiting -= batch.spans
    this.send(batch.spans, request, done)
  }
}
