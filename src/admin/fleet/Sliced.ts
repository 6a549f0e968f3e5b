import { Effect } from "effect"
import { Turns } from "../../clock/Turns.js"

/** Goes through many things, a slice in each turn of the event loop, which belongs to clients of the proxy. */
export const eachSliced = <A>(items: Iterable<A>, take: (item: A) => void): Effect.Effect<void> =>
  Effect.gen(function* () {
    const turns = new Turns()
    for (const item of items) {
      take(item)
      yield* turns.pause
    }
  })

/** A JSON array of what is shown of many things, made the same way. */
export const jsonArraySliced = <A>(items: ReadonlyArray<A>, show: (item: A) => unknown): Effect.Effect<string> => {
  const texts: Array<string> = []
  return Effect.map(
    eachSliced(items, (item) => texts.push(JSON.stringify(show(item)))),
    () => `[${texts.join(",")}]`,
  )
}
