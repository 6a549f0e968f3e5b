import { Effect } from "effect"
import type { ProcessView } from "../api/ProxyViews.js"
import type { Answered, FleetService } from "./Fleet.js"
import type { AnswerOf } from "./Questions.js"

type View = typeof ProcessView.Type

const viewOf = ({ answer, from }: Answered<AnswerOf<"process">>): View => ({
  ...answer,
  role: from === undefined ? "proxy" : "worker",
  worker: from?.name ?? null,
  generation: from?.generation ?? null,
})

/** Every process of the proxy, and the names of those that do not answer. */
export const processesOf = ({
  ask,
  supervisor,
}: FleetService): Effect.Effect<{ readonly processes: ReadonlyArray<View>; readonly missing: ReadonlyArray<string> }> =>
  Effect.gen(function* () {
    const { found, missing } = yield* ask((process) => process.process({}))
    const own = supervisor === undefined ? [] : [yield* supervisor.process({})]
    const supervisors = own.map((answer): View => ({ ...answer, role: "supervisor", worker: null, generation: null }))
    return { processes: [...supervisors, ...found.map(viewOf)], missing }
  })

/** Whether it is any use to send requests to the proxy. */
export interface ProxyReadiness {
  /** A process answers. */
  readonly listening: boolean
  /** One of them takes something new. */
  readonly taking: boolean
  /** Every one that does could read its store when it did so last. */
  readonly readable: boolean
}

/** What the answers of processes come to. One that retires is not asked about its store, unless there are only such. */
export const readinessOf = (found: ReadonlyArray<AnswerOf<"ready">>): ProxyReadiness => {
  const taking = found.filter(({ draining }) => !draining)
  return {
    listening: found.length > 0,
    taking: taking.length > 0,
    readable: (taking.length > 0 ? taking : found).every(({ readable }) => readable),
  }
}
