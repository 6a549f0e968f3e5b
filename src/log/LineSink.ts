import { LineMemory, type LineTaker, pieceBytes } from "./LineMemory.js"

/** Where the bytes of a `LineSink` go. It is given one piece at a time. */
export interface LineOutput {
  /**
   * Writes of `bytes` what is behind `offset`, or a part of it. `done` is told where to go on: that may be before `offset`,
   * at the beginning of a line that cannot be finished where it was begun.
   */
  write(bytes: Buffer, offset: number, done: (error: NodeJS.ErrnoException | null, offset: number) => void): void
  /** The same, without a wait: as much as goes out at once, for a process that ends. Gives where it stopped. */
  writeNow(bytes: Buffer, offset: number): number
}

/** Who hears how a sink fares. */
export interface LineSinkListener {
  /** A line was dropped, the first since `takeDropped`. */
  readonly dropping?: () => void
  /** The output fails. It is tried again each second; told once, until it has worked in between. */
  readonly failing?: (error: NodeJS.ErrnoException) => void
  /** The line in place of lines that are lost, once there is room again. Absent: nothing stands in their place. */
  readonly gap?: (dropped: number) => string
}

/** How many bytes of lines may wait. */
const mostWaiting = 4_194_304
/** Rest before another attempt, in milliseconds: where nobody reads, and where it failed. */
const unreadPause = 50
const failedPause = 1_000

/** Who counts for metrics how a sink fares. */
export interface SinkCounters {
  /** So many lines were dropped. */
  accessLogDropped(lines: number): void
  /** An attempt to write failed. */
  accessLogFailed(): void
}

interface Piece {
  readonly bytes: Buffer
  readonly lines: number
  /** What its bytes are a part of, where lines may gather there again. */
  readonly memory: LineMemory | undefined
}

const lineBreak = 10

const lineBreaksIn = (bytes: Buffer): number => {
  let count = 0
  for (let at = bytes.indexOf(lineBreak); at >= 0; at = bytes.indexOf(lineBreak, at + 1)) count++
  return count
}

/**
 * Lines on their way to a file or a reader, who may be slow or stopped, or whose disk may be full: nobody waits for them.
 * They gather for a while, then go out piece by piece, one write at a time. What waits has a bound; the newest line beyond
 * it is dropped and counted. A part of a piece that was written is gone on from, so that no line is torn.
 */
export class LineSink implements LineTaker {
  /** How many lines were dropped, and how many attempts to write failed, in all. */
  dropped = 0
  failures = 0
  /** Lines that gather, as bytes: a text of many pieces that lives on costs the garbage collector more than it is worth. */
  private gathered: LineMemory | undefined
  /** Memory of a piece that is written. The engine counts what is allocated outside of its heap, and collects sooner for it. */
  private spare: LineMemory | undefined
  private readonly pieces: Array<Piece> = []
  private offset = 0
  private pieceWaiting = 0
  private timer: NodeJS.Timeout | undefined
  private retry: NodeJS.Timeout | undefined
  private isDue = false
  private isBusy = false
  private isFailing = false
  private droppedSince = 0
  private idle: (() => void) | undefined
  private counters: SinkCounters | undefined

  /** `gatherTime`: for how many milliseconds lines are gathered. */
  constructor(
    private readonly output: LineOutput,
    private readonly gatherTime: number,
    private readonly listener: LineSinkListener = {},
  ) {}

  /** Takes a line, without its line break; `false`: it is dropped. */
  write(line: string): boolean {
    if (this.isFullFor(line.length)) return this.drop()
    this.add(line)
    return true
  }

  room(): LineMemory {
    if (this.gathered !== undefined) return this.gathered
    this.gathered = this.spare ?? new LineMemory()
    this.spare = undefined
    return this.gathered
  }

  took(length: number): boolean {
    if (this.isFullFor(length)) return this.drop()
    const memory = this.room()
    if (memory.length + length > pieceBytes) this.moveOn(memory, length)
    this.room().add(length)
    this.added()
    return true
  }

  /** Counts there, from now on, what is dropped and what fails. */
  countIn(counters: SinkCounters): void {
    this.counters = counters
  }

  /** How many lines still wait; one that is half written is among them. */
  get waiting(): number {
    const [first] = this.pieces
    const written = first === undefined ? 0 : lineBreaksIn(first.bytes.subarray(0, this.offset))
    return this.pieces.reduce((sum, { lines }) => sum + lines, this.gathered?.lines ?? 0) - written
  }

  /** How many lines were dropped since this was asked last. */
  takeDropped(): number {
    const { droppedSince } = this
    this.droppedSince = 0
    return droppedSince
  }

  /** Ends when everything is written, or after so many milliseconds. */
  flush(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds)
      this.idle = () => {
        clearTimeout(timer)
        resolve()
      }
      this.due()
    })
  }

  /** Writes what goes out at once, for a process that ends. A piece that is being written is the system's by now. */
  writeNow(): void {
    this.pack()
    const begun = this.isBusy ? 1 : 0
    for (const { bytes } of this.pieces.splice(begun)) {
      if (this.output.writeNow(bytes, begun === 0 ? this.offset : 0) < bytes.length) return
      this.offset = 0
    }
  }

  private add(line: string): void {
    const most = 3 * line.length + 1
    if (this.gatheredBytes + most > pieceBytes) this.pack()
    if (most > pieceBytes) this.push(Buffer.from(`${line}\n`, "utf8"), 1, undefined)
    else this.gather(line)
    this.added()
  }

  private isFullFor(bytes: number): boolean {
    const isBehindGap = this.droppedSince > 0 && this.listener.gap !== undefined
    return isBehindGap || this.pieceWaiting + this.gatheredBytes + bytes >= mostWaiting
  }

  private added(): void {
    if (this.gatheredBytes > 0) this.timer ??= setTimeout(this.due, this.gatherTime).unref()
    if (this.pieces.length > 0) this.next()
  }

  private gather(line: string): void {
    const memory = this.room()
    const { bytes, length: begun } = memory
    const length = bytes.write(line, begun, "utf8")
    bytes[begun + length] = lineBreak
    memory.add(length + 1)
  }

  /** A line that was put behind a piece which is full then is the first one of the next. */
  private moveOn(full: LineMemory, length: number): void {
    const begun = full.length
    this.pack()
    full.bytes.copy(this.room().bytes, 0, begun, begun + length)
  }

  private get gatheredBytes(): number {
    return this.gathered?.length ?? 0
  }

  private drop(): false {
    this.dropped++
    this.counters?.accessLogDropped(1)
    if (++this.droppedSince === 1) this.listener.dropping?.()
    return false
  }

  private readonly due = (): void => {
    clearTimeout(this.timer)
    this.timer = undefined
    this.isDue = true
    this.next()
  }

  /** Makes a piece of what has gathered. */
  private pack(): void {
    const { gathered } = this
    this.isDue = false
    if (gathered === undefined || gathered.length === 0) return
    this.gathered = undefined
    this.push(gathered.bytes.subarray(0, gathered.length), gathered.lines, gathered)
  }

  private push(bytes: Buffer, lines: number, memory: LineMemory | undefined): void {
    this.pieces.push({ bytes, lines, memory })
    this.pieceWaiting += bytes.length
  }

  private next(): void {
    if (this.isBusy || this.retry !== undefined) return
    if (this.pieces.length === 0 && this.isDue) this.pack()
    const [piece] = this.pieces
    if (piece === undefined) {
      this.isDue = false
      return this.idle?.()
    }
    this.isBusy = true
    this.output.write(piece.bytes, this.offset, this.wrote)
  }

  private readonly wrote = (error: NodeJS.ErrnoException | null, offset: number): void => {
    this.isBusy = false
    this.offset = offset
    if (error !== null) return this.failed(error)
    const [piece] = this.pieces
    if (piece !== undefined && offset >= piece.bytes.length) {
      // A part that still fitted on a full disk is no success.
      this.isFailing = false
      this.pieces.shift()
      this.keep(piece.memory)
      this.offset = 0
      this.pieceWaiting -= piece.bytes.length
      this.tellGap()
    }
    this.next()
  }

  /** Memory of a piece that was written is used again. */
  private keep(memory: LineMemory | undefined): void {
    memory?.clear()
    this.spare ??= memory
  }

  private failed(error: NodeJS.ErrnoException): void {
    const isUnread = error.code === "EAGAIN"
    if (!isUnread) {
      this.failures++
      this.counters?.accessLogFailed()
      if (!this.isFailing) this.listener.failing?.(error)
      this.isFailing = true
    }
    this.retry = setTimeout(this.tryAgain, isUnread ? unreadPause : failedPause)
    this.retry.unref()
  }

  private readonly tryAgain = (): void => {
    this.retry = undefined
    this.next()
  }

  /** Lines are taken again when half of those that waited are gone, behind the one that tells of those that were lost. */
  private tellGap(): void {
    const { gap } = this.listener
    if (gap === undefined || this.droppedSince === 0 || this.pieceWaiting > mostWaiting / 2) return
    this.add(gap(this.takeDropped()))
  }
}
