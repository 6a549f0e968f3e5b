import { Effect, type Scope } from "effect"

/** Least time between two updates of the line, in milliseconds. */
const updateInterval = 100

/**
 * A progress line on standard error, which is overwritten by each update and removed when the scope closes. Does
 * nothing if standard error is not a terminal.
 */
export const progressLine: Effect.Effect<(line: string) => void, never, Scope.Scope> = Effect.gen(function* () {
  const { stderr } = process
  if (!stderr.isTTY || process.env["TERM"] === "dumb") return () => {}
  let next = 0
  yield* Effect.addFinalizer(() => Effect.sync(() => void (next > 0 && stderr.write("\r\u001b[K"))))
  return (line) => {
    const now = performance.now()
    if (now < next) return
    next = now + updateInterval
    stderr.write(`\r${line}\u001b[K`)
  }
})

const barWidth = 24

/** A bar, how much is done in percent, and a text; only the text where it is not known how much there is. */
export const progressBar = (part: number | undefined, text: string): string => {
  if (part === undefined) return text
  const done = Math.min(1, part)
  const filled = Math.round(done * barWidth)
  return `[${"#".repeat(filled)}${".".repeat(barWidth - filled)}] ${Math.floor(done * 100)} %  ${text}`
}
