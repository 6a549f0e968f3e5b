import { IgnoredSignals } from "./IgnoredSignals.js"
import { SignalCatcher } from "./SignalCatcher.js"
import { version } from "../domain/Version.js"
import { limitYoungGeneration } from "./YoungGeneration.js"

const asksVersion = ([first = "", ...others]: ReadonlyArray<string>): boolean =>
  ["--version", "-v", "-V"].includes(first) || (first === "version" && others.length === 0)

/**
 * The program: runs the command line `words`, then ends the process with 0, 1 (a failure) or 2 (a usage error). Loads
 * only the modules that the command needs.
 */
export const main = async (words: ReadonlyArray<string>): Promise<void> => {
  if (asksVersion(words)) {
    process.stdout.write(`ss-proxy ${version}\n`)
    return
  }
  // A signal that comes while the rest is loaded must still end the proxy with exit code 0.
  SignalCatcher.start()
  IgnoredSignals.start()
  limitYoungGeneration()
  const { runSsProxy } = await import("./SsProxy.js")
  await runSsProxy(words)
}
