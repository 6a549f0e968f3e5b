import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import { Effect } from "effect"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { AdminApi } from "../api/AdminApi.js"
import { Fleet } from "../fleet/Fleet.js"
import { Feed } from "./Feed.js"
import { serverEvents } from "./ServerEvents.js"

/** Calls that go on until their reader leaves. */
export const layerStreamCalls = HttpApiBuilder.group(AdminApi, "streams", (handlers) =>
  Effect.gen(function* () {
    const { follow } = yield* Fleet
    const feed = new Feed(yield* SessionRepo, yield* Effect.scope)
    return handlers
      .handle("tail", ({ urlParams: { only, session } }) =>
        serverEvents(follow({ session, onlyFailed: only === "failed" })),
      )
      .handle("feed", ({ headers: { "last-event-id": lastId }, urlParams: { prefix = "" } }) =>
        serverEvents(feed.read(prefix, lastId)),
      )
  }),
)
