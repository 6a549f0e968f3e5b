import { Effect } from "effect"
import type { ErrorView } from "../api/ProxyViews.js"
import type { Answered, FleetService, Gathered } from "./Fleet.js"
import type { QuestionOf } from "./Questions.js"

type View = typeof ErrorView.Type

const named = ({ answer, from }: Answered<ReadonlyArray<View>>): ReadonlyArray<View> =>
  from === undefined ? answer : answer.map((view) => ({ ...view, worker: from.name }))

/** The latest failures of all processes, newest first, each process's in its own order. Their dates are in the order of their texts. */
export const mergedErrors = ({ found }: Gathered<ReadonlyArray<View>>, limit: number): ReadonlyArray<View> => {
  const all = found.flatMap(named)
  return (
    found.length > 1 ? all.toSorted((one, other) => (one.time < other.time ? 1 : one.time > other.time ? -1 : 0)) : all
  ).slice(0, limit)
}

/** The latest failures that were not a client's fault, newest first. */
export const latestErrors = (
  { ask }: FleetService,
  query: QuestionOf<"errors">,
): Effect.Effect<{ readonly errors: ReadonlyArray<View>; readonly missing: ReadonlyArray<string> }> =>
  Effect.map(
    ask((process) => process.errors(query)),
    (gathered) => ({ errors: mergedErrors(gathered, query.limit), missing: gathered.missing }),
  )
