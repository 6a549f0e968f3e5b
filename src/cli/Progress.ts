import { Effect, type Scope } from "effect"

/** The least time between two changes of the line, in milliseconds. */
const pause = 100

/**
 * A line on standard error that says how far a command is, for somebody at a terminal; written anew in its place, and gone
 * with the scope. Nothing anywhere else: a pipe or a file gets no progress.
 */
export const progressLine: Effect.Effect<(line: string) => void, never, Scope.Scope> = Effect.gen(function* () {
  const { stderr } = process
  if (!stderr.isTTY || process.env["TERM"] === "dumb") return () => {}
  let next = 0
  yield* Effect.addFinalizer(() => Effect.sync(() => void (next > 0 && stderr.write("\r\u001b[K"))))
  return (line) => {
    const now = performance.now()
    if (now < next) return
    next = now + pause
    stderr.write(`\r${line}\u001b[K`)
  }
})
