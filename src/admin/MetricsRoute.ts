import { Effect } from "effect"
import { Turns } from "../clock/Turns.js"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import { exposition, expositionType } from "../telemetry/Exposition.js"
import { SessionText } from "../telemetry/SessionSeries.js"
import type { AdminRoute } from "./AdminRoute.js"
import { seriesOfAll, snapshotOfAll } from "./fleet/Counts.js"
import { Fleet, type FleetService } from "./fleet/Fleet.js"

/** The numbers of sessions that have some of their own. */
const sessionsText = (fleet: FleetService): Effect.Effect<string> =>
  Effect.gen(function* () {
    const text = new SessionText()
    const turns = new Turns()
    for (const one of yield* seriesOfAll(fleet)) {
      text.add(one)
      yield* turns.pause
    }
    return text.text
  })

/** What Prometheus scrapes. With the ids of sessions in it, it is as secret as they are. */
export const makeMetricsRoute: Effect.Effect<AdminRoute, never, ProxyConfig | Fleet> = Effect.gen(function* () {
  const { metricsSessions } = yield* ProxyConfig
  const fleet = yield* Fleet
  const all = Effect.map(snapshotOfAll(fleet), (snapshot) => (snapshot === undefined ? "" : exposition(snapshot)))
  const ofSessions = metricsSessions === 0 ? Effect.succeed("") : sessionsText(fleet)
  const body = Effect.zipWith(all, ofSessions, (text, sessions) => text + sessions)
  return {
    path: "/metrics",
    needsToken: metricsSessions > 0,
    answer: () => Effect.map(body, (text) => ({ status: 200, type: expositionType, body: text })),
  }
})
