import { Effect, Layer, Option } from "effect"
import type { ProxySettings } from "../domain/ProxyConfig.js"
import { type Database, openActivity } from "./Database.js"

/** How long a database that cannot be reached is waited for at the start, in milliseconds: it may be starting itself. */
export const startPatience = 5_000

/** When sessions were last active, where that is to be written down and there is a place for it. */
export const activityOf = (database: Database, { activityInterval }: ProxySettings) =>
  Effect.gen(function* () {
    if (activityInterval === 0) return Layer.empty
    const store = yield* openActivity(database, "make")
    if (Option.isSome(store)) return store.value
    yield* Effect.logInfo("when sessions were last active is not written down: the database is no SQLite file")
    return Layer.empty
  })
