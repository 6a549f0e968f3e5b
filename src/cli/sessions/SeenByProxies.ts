import { Effect, Option } from "effect"
import type { HealthView, SessionView } from "../../admin/api/SessionViews.js"
import { type ActivityTimes, mergedTimes } from "../../sessions/SessionActivity.js"
import type { Database } from "../Database.js"
import type { CommandFailed } from "../Failure.js"
import { runningProxies } from "../admin/Proxies.js"

type Health = typeof HealthView.Type

/** What running proxies know of a session beside its row. */
export interface Seen {
  /** When it was last active: proxies know that at once, and write it down later. `undefined` where no proxy has it. */
  readonly times: ActivityTimes | undefined
  /** How its server does; null where no proxy knows. */
  readonly health: Health | null
}

/** Of what several proxies know of a server, what is worst. */
const ranks: Readonly<Record<Health["state"], number>> = { failing: 0, ok: 1, unknown: 2 }

const timeOf = (timestamp: string | null): number => (timestamp === null ? 0 : Date.parse(timestamp))

/** When a session was last active, as a proxy has it. */
export const timesOf = ({ activity }: typeof SessionView.Type): ReadonlyArray<ActivityTimes> =>
  activity === undefined
    ? []
    : [
        {
          lastRequestAt: timeOf(activity.last_request_at),
          lastClientAt: timeOf(activity.last_client_at),
          lastServerAt: timeOf(activity.last_server_at),
          lastKind: activity.last_kind ?? undefined,
        },
      ]

/** Asks the proxies on the database for a session. One that has just stopped, or does not know it, has nothing to say. */
export const seenByProxies = (id: string, database: Database): Effect.Effect<Seen, CommandFailed> =>
  Effect.gen(function* () {
    const proxies = yield* runningProxies(Option.none(), database)
    const found = yield* Effect.forEach(proxies, (proxy) => Effect.option(proxy.sessions.find({ path: { id } })), {
      concurrency: "unbounded",
    })
    const views = found.flatMap(Option.toArray)
    const times = views.flatMap(timesOf)
    const healths = views.flatMap(({ health }) => (health === null ? [] : [health]))
    return {
      times: times.length === 0 ? undefined : times.reduce(mergedTimes),
      health: healths.toSorted((one, other) => ranks[one.state] - ranks[other.state])[0] ?? null,
    }
  })
