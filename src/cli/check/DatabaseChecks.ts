import { Effect } from "effect"
import type { Database } from "../Database.js"
import type { Finding } from "./Finding.js"

/** All that is to be known of the database. Makes nothing. What looks at it is loaded only here. */
export const databaseChecks = (database: Database): Effect.Effect<ReadonlyArray<Finding>> =>
  database._tag === "Sqlite"
    ? Effect.flatMap(
        Effect.promise(() => import("./SqliteChecks.js")),
        ({ sqliteChecks }) => sqliteChecks(database),
      )
    : Effect.flatMap(
        Effect.promise(() => import("./PostgresChecks.js")),
        ({ postgresChecks }) => postgresChecks(database),
      )
