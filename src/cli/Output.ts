import { Effect } from "effect"
import { fstatSync, writeSync } from "node:fs"

/** Whether a write ends when it is done: to a file or a device, and not to a pipe, a socket or a terminal. */
const isFile = ({ fd, isTTY }: { readonly fd: number; readonly isTTY: boolean }): boolean => {
  try {
    const stats = fstatSync(fd)
    return stats.isFile() || (stats.isCharacterDevice() && !isTTY)
  } catch {
    return false
  }
}

/** Node takes a file that had room for a part of the text for one that took it all. */
const writeWhole = (descriptor: number, text: string): void => {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at)
}

/** A result: on standard output, which holds nothing else. */
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

/** A word to the person at the keyboard, beside the result: on standard error. */
export const printDiagnostic = (text: string): Effect.Effect<void> =>
  Effect.sync(() => {
    process.stderr.write(`${text}\n`)
  })
