import { closeSync } from "node:fs"
import { isatty } from "node:tty"
import { hangUpStops } from "./SignalCatcher.js"

/**
 * Closes the descriptors of a terminal that is gone. At its exit, Node restores the modes of terminals, and aborts if
 * that fails; it ignores closed descriptors. Call this right before the exit.
 */
export const closeLostTerminal = (): void => {
  const terminals = [hangUpStops, process.stdout.isTTY, process.stderr.isTTY]
  for (const [descriptor, wasTerminal] of terminals.entries())
    if (wasTerminal && !isatty(descriptor)) closeSync(descriptor)
}
