/** How many bytes of lines are written at a time. */
export const pieceBytes = 65_536

/** Texts are cut before they come to a log: the longest line that anybody can bring about is shorter than half of this. */
const longestLine = 65_536

/** Memory in which lines gather as bytes, up to a piece, with room behind them for one more. */
export class LineMemory {
  readonly bytes = Buffer.allocUnsafeSlow(pieceBytes + longestLine)
  /** The same memory, for numbers of several bytes. */
  readonly view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length)
  /** How many bytes, and lines, are there. */
  length = 0
  lines = 0

  /** The line that was put behind the others is so long, and is one of them now. */
  add(length: number): void {
    this.length += length
    this.lines++
  }

  clear(): void {
    this.length = 0
    this.lines = 0
  }
}

/** Takes lines that are made in its own memory. */
export interface LineTaker {
  /** Where the next line is to be put, with its line break: behind the first `length` bytes. */
  room(): LineMemory
  /** The line is there, and is so long; `false`: it is dropped. */
  took(length: number): boolean
}
