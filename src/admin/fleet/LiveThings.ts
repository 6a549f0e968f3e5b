import { Effect, Option } from "effect"
import type { KillClose } from "../../domain/SessionControl.js"
import type { LiveView } from "../api/LiveView.js"
import { type Answered, answersIn, type FleetService, type Gathered, ProcessSilent } from "./Fleet.js"
import type { LiveQuestion, TrafficCounts } from "./Questions.js"
import { byIdOf } from "./ById.js"

type View = typeof LiveView.Type

/** Where a page ends: of each process the serial number to go on behind. */
export type LivePlaces = LiveQuestion["after"]

/** A page of what is under way. `next`: `undefined` at the end. */
export interface LivePage {
  readonly found: ReadonlyArray<View>
  readonly next: LivePlaces | undefined
  readonly missing: ReadonlyArray<string>
}

/** `{process}-{serial}`, both in base 36. */
const placeOf = (id: string): readonly [string, number] => {
  const [process = "", serial = ""] = id.split("-")
  return [process, parseInt(serial, 36)]
}

const bytesOf = ({ bytes_in, bytes_out }: View): number => bytes_in + bytes_out

/** Whether one comes before another that is of another process. Dates of one form are in the order of their texts. */
const isBefore = (one: View, other: View, sort: LiveQuestion["sort"]): boolean =>
  sort === "bytes" ? bytesOf(one) > bytesOf(other) : one.since < other.since

/** The first of several lists, each of which is in order: that stays, whatever the clocks of their processes say. */
const firstOf = (lists: ReadonlyArray<ReadonlyArray<View>>, sort: LiveQuestion["sort"], limit: number) => {
  const [only] = lists
  if (lists.length === 1 && only !== undefined) return only.slice(0, limit)
  const places = lists.map(() => 0)
  const found: Array<View> = []
  while (found.length < limit) {
    let best: { readonly list: number; readonly view: View } | undefined
    for (const [list, views] of lists.entries()) {
      const view = views[places[list] ?? 0]
      if (view !== undefined && (best === undefined || isBefore(view, best.view, sort))) best = { list, view }
    }
    if (best === undefined) break
    places[best.list] = (places[best.list] ?? 0) + 1
    found.push(best.view)
  }
  return found
}

/** One page of the lists of several processes; each list has one more than fits on it, where there is one. */
export const mergedPage = (
  { found: lists, missing }: Gathered<ReadonlyArray<View>>,
  { after, limit, sort }: Pick<LiveQuestion, "after" | "limit" | "sort">,
): LivePage => {
  const found = firstOf(lists.map(named), sort, limit)
  const all = lists.reduce((count, { answer }) => count + answer.length, 0)
  const isAll = found.length === all || sort !== "age"
  return {
    found,
    missing,
    next: isAll ? undefined : Array.from(new Map([...after, ...found.map(({ id }) => placeOf(id))])),
  }
}

const named = ({ answer, from }: Answered<ReadonlyArray<View>>): ReadonlyArray<View> =>
  from === undefined ? answer : answer.map((view) => ({ ...view, worker: from.name }))

/** What is under way. */
export const livePage = ({ ask }: FleetService, query: LiveQuestion): Effect.Effect<LivePage> =>
  Effect.map(
    ask((process) => process.live({ ...query, limit: query.limit + 1 })),
    (gathered) => mergedPage(gathered, query),
  )

/** What the one process said that knows; none of them does, as far as all have answered. */
const theOne = <A>({ found, missing }: Gathered<A | null>): Effect.Effect<Option.Option<A>, ProcessSilent> => {
  for (const { answer } of found) if (answer !== null) return Effect.succeedSome(answer)
  return missing.length > 0 ? new ProcessSilent() : Effect.succeedNone
}

/** One thing that is under way, by its id. An id of before a restart names nothing. */
export const findLive = ({ ask }: FleetService, id: string): Effect.Effect<Option.Option<View>, ProcessSilent> =>
  Effect.flatMap(
    ask((process) => process.find({ id })),
    ({ found, missing }) =>
      theOne({
        found: found.map((one) => ({
          ...one,
          answer: one.answer && (named({ ...one, answer: [one.answer] })[0] ?? null),
        })),
        missing,
      }),
  )

/** Ends it. Gives the id of its session; none where it is not under way. */
export const endLive = (
  { ask }: FleetService,
  id: string,
  close: KillClose,
): Effect.Effect<Option.Option<string>, ProcessSilent> =>
  Effect.flatMap(
    ask((process) => process.end({ id, close })),
    theOne,
  )

const sumOf = (one: TrafficCounts, other: TrafficCounts): TrafficCounts => ({
  requests: one.requests + other.requests,
  streams: one.streams + other.streams,
  websockets: one.websockets + other.websockets,
})

/** How much is under way of these sessions: of those of which anything is. */
export const liveCounts = (
  { ask }: FleetService,
  ids: ReadonlyArray<string>,
): Effect.Effect<ReadonlyMap<string, TrafficCounts>> =>
  Effect.map(
    ask((process) => process.counts({ ids })),
    (gathered) => byIdOf(answersIn(gathered), sumOf),
  )
