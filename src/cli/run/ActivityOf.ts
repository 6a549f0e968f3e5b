import { Effect, Layer } from "effect"
import type { ProxySettings } from "../../domain/ProxyConfig.js"
import { type Database, openActivity } from "../Database.js"

/** How long a database that cannot be reached is waited for at the start, in milliseconds: it may be starting itself. */
export const startPatience = 5_000

/** When sessions were last active, where that is to be written down. */
export const activityOf = (database: Database, { activityInterval }: ProxySettings) =>
  activityInterval === 0 ? Effect.succeed(Layer.empty) : openActivity(database, "make")
