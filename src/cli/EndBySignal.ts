import { Effect } from "effect"
import { SignalCatcher } from "./SignalCatcher.js"

/** From now on a signal that asks the process to stop ends it well: whoever watches something ends that so. */
export const endWellBySignal: Effect.Effect<void> = Effect.sync(() => {
  SignalCatcher.current?.handTo(() => process.exit(0))
})
