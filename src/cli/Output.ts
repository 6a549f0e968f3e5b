import { Effect } from "effect"
import { fstatSync, writeSync } from "node:fs"

/** Whether to write synchronously: to a file or a device, but not to a pipe, a socket or a terminal. */
const isFile = ({ fd, isTTY }: { readonly fd: number; readonly isTTY: boolean }): boolean => {
  try {
    const stats = fstatSync(fd)
    return stats.isFile() || (stats.isCharacterDevice() && !isTTY)
  } catch {
    return false
  }
}

/** Repeats partial writes: Node's stream for a file takes a partial write (a full disk) for a complete one. */
export const writeWhole = (descriptor: number, text: string): void => {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at)
}

/**
 * Prints a part of a result on standard output, which gets nothing else, and waits for a reader that is slow. A fault of
 * standard output ends the process (`SsProxy.ts`).
 */
export const printPiece = (text: string): Effect.Effect<void> =>
  Effect.async((resume) => {
    const { stdout } = process
    const done = () => resume(Effect.void)
    if (!isFile(stdout)) return stdout.write(text) ? done() : void stdout.once("drain", done)
    try {
      writeWhole(stdout.fd, text)
      done()
    } catch (error) {
      stdout.emit("error", error)
    }
  })

/** Prints a result on standard output, which gets nothing else. */
export const printResult = (text: string): Effect.Effect<void> =>
  Effect.sync(() => {
    const { stdout } = process
    if (!isFile(stdout)) return void stdout.write(`${text}\n`)
    try {
      writeWhole(stdout.fd, `${text}\n`)
    } catch (error) {
      stdout.emit("error", error)
    }
  })

/** Prints a message for the user on standard error. */
export const printDiagnostic = (text: string): Effect.Effect<void> =>
  Effect.sync(() => {
    process.stderr.write(`${text}\n`)
  })
