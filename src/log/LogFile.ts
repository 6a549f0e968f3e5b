import {
  close,
  constants,
  fstat,
  fstatSync,
  ftruncate,
  open,
  openSync,
  read,
  readSync,
  stat,
  type Stats,
  write,
  writeSync,
} from "node:fs"
import type { LineOutput } from "./LineSink.js"
import { writeAtOnce } from "./StandardOutput.js"

type Fault = NodeJS.ErrnoException
type Done = (error: Fault | null, offset: number) => void

/** How often the path is looked at, in milliseconds. */
const lookInterval = 10_000

const lineBreak = 10

/**
 * Appends, so that a file which is copied and truncated begins anew. It is read, too: how it ends, to tell a whole line
 * from a torn one. A pipe that is open both ways needs no reader, and says so where it is full, in place of a wait.
 */
const flags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK | constants.O_NOCTTY
const mode = 0o640

const closed: Fault = new Error("the file is closed")

/** Where the line begins that `offset` is in. */
const lineStart = (bytes: Buffer, offset: number): number =>
  offset === 0 ? 0 : bytes.lastIndexOf(lineBreak, offset - 1) + 1

const isSameFile = (one: Stats, other: Stats): boolean => one.ino === other.ino && one.dev === other.dev

/** A file that does not end with a whole line, because somebody was stopped in the midst of it, gets its line break. */
const mendEnd = (descriptor: number, { size }: Stats): void => {
  const last = Buffer.alloc(1, lineBreak)
  try {
    if (size > 0) readSync(descriptor, last, 0, 1, size - 1)
    if (last[0] !== lineBreak) writeSync(descriptor, "\n")
  } catch {
    // There is no room for that either: the first line that is written will say so.
  }
}

/**
 * A file of lines, which others may move, remove or truncate at any time. Its path is looked at every ten seconds, and what
 * stands there is opened in place of what is open; if nothing does, it is made. A line that the disk has no room for is taken
 * back, so that the file ends with a whole one, whatever happens next.
 */
export class LogFile implements LineOutput {
  private descriptor: number
  private opened: Stats
  private isStale = false
  private isOpening = false
  private isWriting = false
  private isClosed = false
  /** What waits until another file is open. */
  private whenOpen: ((isOther: boolean) => void) | undefined
  private readonly look: NodeJS.Timeout

  /** Opens the file, and makes it where there is none; throws the system's error where that cannot be. `failed`: it could not be opened anew. */
  constructor(
    private readonly path: string,
    private readonly failed: (error: Fault) => void,
  ) {
    this.descriptor = openSync(path, flags, mode)
    this.opened = fstatSync(this.descriptor)
    if (this.opened.isFile()) mendEnd(this.descriptor, this.opened)
    this.look = setInterval(() => stat(path, (error, found) => this.found(error, found)), lookInterval)
    this.look.unref()
  }

  /** Opens what stands at the path now. A piece that is being written is finished before that. */
  reopen(): void {
    if (this.isClosed) return
    this.isStale = true
    if (!this.isBusy) this.rest()
  }

  write(bytes: Buffer, offset: number, done: Done): void {
    if (this.isClosed) return done(closed, offset)
    // A line that is half written is finished in the file where it was begun.
    if (this.isOpening || (this.isStale && offset === lineStart(bytes, offset))) {
      this.whenOpen = (isOther) => this.write(bytes, isOther ? lineStart(bytes, offset) : offset, done)
      if (!this.isOpening) this.openAnew()
      return
    }
    this.isWriting = true
    const over: Done = (error, next) => {
      this.isWriting = false
      done(error, next)
      // `done` may have begun the next piece.
      if (!this.isBusy) this.rest()
    }
    write(this.descriptor, bytes, offset, bytes.length - offset, null, (error, written) => {
      if (error === null) over(null, offset + written)
      else this.takeBack(bytes, offset, (kept) => over(error, kept))
    })
  }

  private get isBusy(): boolean {
    return this.isWriting || this.isOpening
  }

  writeNow(bytes: Buffer, offset: number): number {
    return this.isClosed ? offset : writeAtOnce(this.descriptor, bytes, offset)
  }

  /** Closes it, behind what is being written. Once. */
  close(): void {
    clearInterval(this.look)
    this.isClosed = true
    if (!this.isBusy) this.rest()
  }

  /** Nothing is under way: what was put off is done. */
  private rest(): void {
    if (this.isClosed) close(this.descriptor, () => {})
    else if (this.isStale) this.openAnew()
  }

  private found(error: Fault | null, found: Stats): void {
    if (error === null ? !isSameFile(found, this.opened) : error.code === "ENOENT") this.reopen()
  }

  private openAnew(): void {
    this.isStale = false
    this.isOpening = true
    open(this.path, flags, mode, (error, descriptor) => {
      if (error !== null) this.failed(error)
      const isOther = error === null && this.take(descriptor)
      this.isOpening = false
      const { whenOpen } = this
      this.whenOpen = undefined
      if (whenOpen === undefined) this.rest()
      else whenOpen(isOther)
    })
  }

  /** Goes on with what was opened, unless that is the same file as before. */
  private take(descriptor: number): boolean {
    const opened = fstatSync(descriptor)
    const isOther = !isSameFile(opened, this.opened)
    close(isOther ? this.descriptor : descriptor, () => {})
    if (!isOther) return false
    if (opened.isFile()) mendEnd(descriptor, opened)
    this.descriptor = descriptor
    this.opened = opened
    return true
  }

  /**
   * Removes what was written of a line that could not be finished, where it is the end of the file. `done`: from where on
   * the piece is still to be written.
   */
  private takeBack(bytes: Buffer, offset: number, done: (offset: number) => void): void {
    const { descriptor } = this
    const begun = lineStart(bytes, offset)
    const length = offset - begun
    if (length === 0 || !this.opened.isFile()) return done(offset)
    fstat(descriptor, (error, { size } = this.opened) => {
      if (error !== null || size < length) return done(begun)
      const end = Buffer.alloc(length)
      read(descriptor, end, 0, length, size - length, (error) => {
        // Somebody truncated the file, and with it what was there of the line: it is written anew.
        if (error !== null || !end.equals(bytes.subarray(begun, offset))) return done(begun)
        ftruncate(descriptor, size - length, (error) => done(error === null ? begun : offset))
      })
    })
  }
}
