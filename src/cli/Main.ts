import { IgnoredSignals } from "./IgnoredSignals.js"
import { SignalCatcher } from "./SignalCatcher.js"
import { version } from "../domain/Version.js"
import { limitYoungGeneration } from "./YoungGeneration.js"

const asksVersion = (words: ReadonlyArray<string>): boolean => words[0] === "--version" || words[0] === "-v"

/**
 * The program: does what the words after its name ask for, then ends the process with 0, 1 (a failure) or 2 (a mistake
 * in the words). Nothing is loaded that the words do not need.
 */
export const main = async (words: ReadonlyArray<string>): Promise<void> => {
  if (asksVersion(words)) {
    process.stdout.write(`ss-proxy ${version}\n`)
    return
  }
  // What comes while the rest is loaded must not end a proxy that is about to start with anything but 0.
  SignalCatcher.start()
  IgnoredSignals.start()
  limitYoungGeneration()
  const { runSsProxy } = await import("./SsProxy.js")
  await runSsProxy(words)
}
