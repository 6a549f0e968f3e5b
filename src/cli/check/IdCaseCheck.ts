import { Effect } from "effect"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import type { IdCase } from "../../domain/Settings.js"
import type { Database } from "../Database.js"
import { type Finding, findingsOf, unavailable } from "./Finding.js"

type Twins = readonly [one: string, other: string]

/** So many pairs are named. */
const shownTwins = 3

/** Pairs of them; so many at most. What looks for them is loaded only here. */
const twinsIn = (database: Database, most: number): Effect.Effect<ReadonlyArray<Twins>, StoreUnavailable> =>
  database._tag === "Sqlite"
    ? Effect.flatMap(
        Effect.promise(() => import("../../sessions/sqlite/SqliteProbe.js")),
        (probe) => probe.twinsIn(database.filename, most),
      )
    : Effect.flatMap(
        Effect.promise(() => import("../../sessions/postgres/PostgresProbe.js")),
        (probe) => probe.twinsIn(database.place, most),
      )

/** Ids of which nobody can tell which is meant, where case does not count. */
export const idCaseChecks = (idCase: IdCase, database: Database): Effect.Effect<ReadonlyArray<Finding>> => {
  if (idCase === "exact") return Effect.succeed([])
  const { fail, ok } = findingsOf("id case")
  return Effect.match(twinsIn(database, shownTwins + 1), {
    onFailure: (error) => [unavailable("id case", error)],
    onSuccess: (twins) => {
      if (twins.length === 0) return [ok("no two ids are the same where case does not count")]
      const shown = twins.slice(0, shownTwins).map(([one, other]) => `${one} and ${other}`)
      const more = twins.length > shownTwins ? ", and more" : ""
      return [
        fail(
          `ids that are the same where case does not count, and get 502: ${shown.join(", ")}${more}`,
          "remove one of each with sessions remove, or run with --id-case exact",
        ),
      ]
    },
  })
}
