import { closeSync, constants, fstatSync, openSync, write, writeSync } from "node:fs"
import { isatty } from "node:tty"
import type { LineOutput } from "./LineSink.js"

/** A descriptor whose writes end at once: that of a file or a device, or one that says where there is no room. */
class Descriptor implements LineOutput {
  constructor(private readonly descriptor: number) {}

  write(bytes: Buffer, offset: number, done: (error: NodeJS.ErrnoException | null, offset: number) => void): void {
    write(this.descriptor, bytes, offset, bytes.length - offset, null, (error, written) =>
      done(error, offset + (error === null ? written : 0)),
    )
  }

  writeNow(bytes: Buffer, offset: number): number {
    return writeAtOnce(this.descriptor, bytes, offset)
  }
}

/** A stream of node's. It takes a piece whole, and says when it is out. */
class Stream implements LineOutput {
  constructor(private readonly stream: NodeJS.WriteStream) {}

  write(bytes: Buffer, offset: number, done: (error: NodeJS.ErrnoException | null, offset: number) => void): void {
    this.stream.write(bytes.subarray(offset), (error) =>
      done(error ?? null, error instanceof Error ? offset : bytes.length),
    )
  }

  writeNow(bytes: Buffer, offset: number): number {
    this.stream.write(bytes.subarray(offset))
    return bytes.length
  }
}

const lineBreak = 10

/** A pipe takes so many bytes whole, whoever else writes to it (pipe(7), PIPE_BUF). */
const wholeBytes = 4_096

/**
 * Some lines at a time, for an output that others write to as well: as many as go out whole. A line that is longer goes out by
 * itself.
 */
export class WholeLines implements LineOutput {
  constructor(private readonly output: LineOutput) {}

  write(bytes: Buffer, offset: number, done: (error: NodeJS.ErrnoException | null, offset: number) => void): void {
    this.output.write(bytes.subarray(0, this.endOf(bytes, offset)), offset, done)
  }

  writeNow(bytes: Buffer, offset: number): number {
    let at = offset
    while (at < bytes.length) {
      const end = this.endOf(bytes, at)
      const next = this.output.writeNow(bytes.subarray(0, end), at)
      if (next < end) return next
      at = next
    }
    return at
  }

  private endOf(bytes: Buffer, offset: number): number {
    if (bytes.length - offset <= wholeBytes) return bytes.length
    const last = bytes.lastIndexOf(lineBreak, offset + wholeBytes - 1)
    return 1 + (last >= offset ? last : bytes.indexOf(lineBreak, offset + wholeBytes))
  }
}

/** Writes until there is no more room. Gives where it stopped. */
export const writeAtOnce = (descriptor: number, bytes: Buffer, offset: number): number => {
  let at = offset
  try {
    while (at < bytes.length) at += writeSync(descriptor, bytes, at)
  } catch {
    // There is no room, and nobody to tell.
  }
  return at
}

/** A terminal by a descriptor of its own, which does not wait where the terminal is stopped; `undefined`: not to be had. */
const reopened = (descriptor: number): number | undefined => {
  try {
    const flags = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY
    const own = openSync(`/proc/self/fd/${descriptor}`, flags)
    if (isatty(own)) return own
    closeSync(own)
  } catch {
    // No Linux, or somebody else's terminal.
  }
  return undefined
}

/**
 * Where lines for standard output or standard error go, so that they hold nobody up. To pipes and sockets node writes
 * without a wait. To files and terminals it does not: a file is written in the background, and a terminal by a descriptor
 * that does not wait, where there is one. `shared`: other processes write there, too.
 */
export const standardOutput = (stream: NodeJS.WriteStream & { readonly fd: number }, shared = false): LineOutput => {
  const output = outputTo(stream)
  return shared ? new WholeLines(output) : output
}

const outputTo = (stream: NodeJS.WriteStream & { readonly fd: number }): LineOutput => {
  try {
    const stats = fstatSync(stream.fd)
    if (stats.isFile() || (stats.isCharacterDevice() && !stream.isTTY)) return new Descriptor(stream.fd)
  } catch {
    return new Stream(stream)
  }
  const terminal = stream.isTTY ? reopened(stream.fd) : undefined
  return terminal === undefined ? new Stream(stream) : new Descriptor(terminal)
}
