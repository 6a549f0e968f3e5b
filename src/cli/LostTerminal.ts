import { closeSync } from "node:fs"
import { isatty } from "node:tty"
import { hangUpStops } from "./SignalCatcher.js"

/**
 * Lets go of a terminal that is gone. When node ends it sets terminals back to how they were, and aborts where one cannot be;
 * a descriptor that is closed it passes over. To be called right before the end.
 */
export const closeLostTerminal = (): void => {
  const terminals = [hangUpStops, process.stdout.isTTY, process.stderr.isTTY]
  for (const [descriptor, wasTerminal] of terminals.entries())
    if (wasTerminal && !isatty(descriptor)) closeSync(descriptor)
}
