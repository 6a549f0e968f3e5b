import { Effect } from "effect"

/** A result: on standard output, which holds nothing else. */
export const printResult = (text: string): Effect.Effect<void> =>
  Effect.sync(() => {
    process.stdout.write(`${text}\n`)
  })

/** A word to the person at the keyboard, beside the result: on standard error. */
export const printDiagnostic = (text: string): Effect.Effect<void> =>
  Effect.sync(() => {
    process.stderr.write(`${text}\n`)
  })
