// A child that talks to the process that has started it: says that it is here, doubles numbers, and leaves when it is told to.
import { Effect } from "effect"
import { Channel, wireTo } from "../../src/workers/Channel.js"
import { doubled, note } from "./Talk.js"

void Effect.runPromise(
  Effect.scoped(
    Effect.gen(function* () {
      const channel = yield* Channel.make(wireTo(process))
      channel.answer(doubled, (number) => Effect.succeed(number * 2))
      channel.hear(note, () => process.exit(0))
      channel.tell(note, "here")
      yield* channel.closed
    }),
  ),
)
