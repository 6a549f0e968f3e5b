import { Effect, Option } from "effect"
import type { HealthView } from "../../admin/api/SessionGroup.js"
import { idleTime } from "../../sessions/SessionActivity.js"
import type { Database } from "../Database.js"
import type { CommandFailed } from "../Failure.js"
import { runningProxies } from "../admin/Proxies.js"
import { inWords } from "../InWords.js"

type Health = typeof HealthView.Type

const words = { passive: "by its requests", active: "by checks" } as const

const passed = (time: string | null, now: number): string =>
  time === null ? "a while" : inWords(idleTime(Date.parse(time), now))

/** How a session's server does, for people. */
export const healthInWords = ({ checked, failures, last_error: last, since, state }: Health, now: number): string => {
  if (state === "unknown") return "unknown: it has not been asked yet"
  if (state === "ok") return `ok for ${passed(since, now)}, ${words[checked]}`
  const often = failures === 1 ? "once" : `${failures} times in a row`
  if (last === null) return `failing for ${passed(since, now)}, ${often}`
  const what = last.reason === null ? last.code : `${last.code} (${last.reason})`
  return `failing for ${passed(since, now)}, ${often}; the last was ${what} ${passed(last.time, now)} ago`
}

/** Of what several proxies know, what is worst. */
const ranks: Readonly<Record<Health["state"], number>> = { failing: 0, ok: 1, unknown: 2 }

/** How the server of a session does, as the proxies on the database have seen it; null where none of them has. */
export const healthOf = (id: string, database: Database): Effect.Effect<Health | null, CommandFailed> =>
  Effect.gen(function* () {
    const proxies = yield* runningProxies(Option.none(), database)
    // A proxy that has just stopped, or does not know the session, has nothing to say.
    const found = yield* Effect.forEach(proxies, (proxy) => Effect.option(proxy.sessions.find({ path: { id } })), {
      concurrency: "unbounded",
    })
    const known = found.flatMap((one) => (Option.isSome(one) && one.value.health !== null ? [one.value.health] : []))
    return known.toSorted((one, other) => ranks[one.state] - ranks[other.state])[0] ?? null
  })
