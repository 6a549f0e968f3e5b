import { Effect, Option, type Scope } from "effect"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import { foldedId } from "../FoldedId.js"
import type { SessionRepo, SessionRow } from "../SessionRepo.js"
import type { PostgresFeed } from "./PostgresFeed.js"
import { mostTwins, type reads } from "./PostgresReads.js"
import { type Batches, batches, type Lane } from "./UnknownRows.js"

type Repo = typeof SessionRepo.Service
type FedReads = Pick<Repo, "find" | "findMany"> & Required<Pick<Repo, "findFolded">>

/**
 * Two lanes, so that no session that is known waits behind ids that anybody makes up. What comes while its one query is under
 * way is together in the next. Ids that are not known are collected longer, and there is no use in waiting long for them: the
 * answer would be late for whoever asked.
 */
const lanes = <A>(ask: Lane<A>["ask"]) =>
  Effect.all({
    known: batches({ ask, underWay: 1, collects: 0 }),
    unknown: batches({ ask, underWay: 2, collects: 1, patience: 1_000 }),
  })

const inLane = <A>(
  { known, unknown }: { readonly known: Batches<A>; readonly unknown: Batches<A> },
  key: string,
  row: SessionRow | undefined,
): Effect.Effect<A, StoreUnavailable> => (row === undefined ? unknown.find(key) : known.find(key, row))

/** The reads of a proxy: many by one query, and none while the database is away; that is told at once. */
export const fedReads = (
  { findMany, findManyFolded }: ReturnType<typeof reads>,
  feed: PostgresFeed,
): Effect.Effect<FedReads, never, Scope.Scope> =>
  Effect.gen(function* () {
    const exact = yield* lanes<Option.Option<SessionRow>>((ids, knownOf) =>
      Effect.map(findMany(ids, knownOf), (rows) => {
        const byId = new Map(rows.map((row) => [row.session.id, row]))
        return (id) => Option.fromNullable(byId.get(id))
      }),
    )
    const folded = yield* lanes<ReadonlyArray<SessionRow>>((keys, knownOf) =>
      Effect.map(findManyFolded(keys, knownOf), (byKey) => (key) => byKey.get(key)?.slice(0, mostTwins) ?? []),
    )
    yield* feed.changed(() => {
      const fault = feed.fault()
      if (fault === undefined) return
      for (const { known, unknown } of [exact, folded]) {
        known.failAll(fault)
        unknown.failAll(fault)
      }
    })
    const unlessAway = <A>(read: () => Effect.Effect<A, StoreUnavailable>): Effect.Effect<A, StoreUnavailable> =>
      Effect.suspend(() => feed.fault() ?? read())
    return {
      find: (id, known) => unlessAway(() => inLane(exact, id, known)),
      findFolded: (id, known) => unlessAway(() => inLane(folded, foldedId(id), known)),
      findMany: (ids, knownOf) => unlessAway(() => findMany(ids, knownOf)),
    }
  })
