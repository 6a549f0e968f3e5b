import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import { Effect } from "effect"
import { ProxyConfig } from "../../domain/ProxyConfig.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { Taps } from "../../telemetry/RecordTaps.js"
import { AdminApi } from "../api/AdminApi.js"
import { Feed } from "./Feed.js"
import { serverEvents } from "./ServerEvents.js"
import { Tail } from "./Tail.js"

/** Calls that go on until their reader leaves. */
export const layerStreamCalls = HttpApiBuilder.group(AdminApi, "streams", (handlers) =>
  Effect.gen(function* () {
    const { logQuery } = yield* ProxyConfig
    const tail = new Tail(yield* Taps, logQuery)
    const feed = new Feed(yield* SessionRepo, yield* Effect.scope)
    return handlers
      .handle("tail", ({ urlParams: { only, session } }) =>
        serverEvents(tail.read({ session, onlyFailed: only === "failed" })),
      )
      .handle("feed", ({ headers: { "last-event-id": lastId }, urlParams: { prefix = "" } }) =>
        serverEvents(feed.read(prefix, lastId)),
      )
  }),
)
