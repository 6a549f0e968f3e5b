import { Effect } from "effect"
import { StoreUnavailable } from "../../domain/ProxyError.js"
import type { Session } from "../../domain/Session.js"
import type { SessionRepo } from "../../sessions/SessionRepo.js"
import { answersIn, type FleetService } from "./Fleet.js"
import { timestamp } from "./Shapes.js"

/** When the store was last heard of, in milliseconds since the epoch; `undefined` of one of which nothing stands while it is away. */
export const lastHeard = ({ feed }: typeof SessionRepo.Service): number | undefined =>
  feed === undefined ? undefined : performance.timeOrigin + feed.heardAt()

/** The rows that sessions are served by while their store is away, of those of which any process has one. */
export const standingRows = (
  { ask }: FleetService,
  ids: ReadonlyArray<string>,
): Effect.Effect<ReadonlyMap<string, Session>> =>
  Effect.map(
    ask((process) => process.rows({ ids })),
    (gathered) =>
      new Map(
        answersIn(gathered)
          .flat()
          .map((row) => [row.id, row]),
      ),
  )

/**
 * Reads; where the store cannot be read, but what was read of it stands, does what `standing` says in place of that. `asOf`: when
 * the store was last heard of, as RFC 3339 has it.
 */
export const orStanding =
  (repo: typeof SessionRepo.Service) =>
  <A, E, R, B, F, S>(
    read: Effect.Effect<A, E | StoreUnavailable, R>,
    standing: (asOf: string, fault: StoreUnavailable) => Effect.Effect<B, F, S>,
  ): Effect.Effect<A | B, E | F | StoreUnavailable, R | S> =>
    Effect.catchAll(read, (error): Effect.Effect<B, E | F | StoreUnavailable, S> => {
      const heardAt = lastHeard(repo)
      return error instanceof StoreUnavailable && heardAt !== undefined
        ? standing(timestamp(heardAt), error)
        : Effect.fail(error)
    })
