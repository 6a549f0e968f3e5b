import { Effect } from "effect"
import { layout, merge, type Snapshot, withCounters } from "../../telemetry/Snapshot.js"
import type { Answered, FleetService } from "./Fleet.js"
import type { AnswerOf, Look } from "./Questions.js"

/** Numbers of another catalogue cannot be read: after a reload, processes may be of another version than this one. */
const isReadable = ({ answer }: Answered<{ readonly layout: string }>): boolean => answer.layout === layout

/** What all processes have counted and do, at about one moment. The busiest event loop stands for all. */
export const lookAtAll = ({ ask, memory }: FleetService): Effect.Effect<Look> =>
  Effect.map(
    ask((process) => process.look({})),
    (gathered) => {
      const found = gathered.found.filter(isReadable)
      return {
        layout,
        counted: memory.counted(found.map(({ answer, from }) => ({ from, answer: answer.counted }))),
        streams: found.reduce((sum, { answer }) => sum + answer.streams, 0),
        loop: Math.max(0, ...found.map(({ answer }) => answer.loop)),
      }
    },
  )

/** Processes are called in metrics as they are everywhere here. */
const named = (snapshot: Snapshot, worker: string): Snapshot => ({
  ...snapshot,
  processes: snapshot.processes.map((process) => ({ ...process, worker })),
})

const namedAnswer = ({ answer, from }: Answered<Snapshot>): Snapshot =>
  from === undefined ? answer : named(answer, from.name)

/** All numbers, of all processes, by the rules of the catalogue; `undefined` where there is none. */
export const snapshotOfAll = ({ ask, memory, supervisor }: FleetService): Effect.Effect<Snapshot | undefined> =>
  Effect.gen(function* () {
    const gathered = yield* ask((process) => process.snapshot({}))
    const found = gathered.found.filter(isReadable)
    const own = supervisor === undefined ? undefined : named(yield* supervisor.snapshot({}), "supervisor")
    const [first, ...others] = found.map(namedAnswer)
    const counted = memory.counted(found.map(({ answer, from }) => ({ from, answer: answer.values })))
    if (first === undefined) return own && withCounters(own, counted)
    const all = withCounters(others.reduce(merge, first), counted)
    return own === undefined ? all : merge(own, all)
  })

/** The numbers of sessions that have metrics of their own. */
export const seriesOfAll = ({ ask, memory }: FleetService): Effect.Effect<AnswerOf<"series">> =>
  Effect.flatMap(
    ask((process) => process.series({})),
    ({ found }) => memory.series(found),
  )
