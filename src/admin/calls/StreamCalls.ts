import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import { Effect } from "effect"
import { ProxyConfig } from "../../domain/ProxyConfig.js"
import { Taps } from "../../telemetry/RecordTaps.js"
import { AdminApi } from "../api/AdminApi.js"
import { serverEvents } from "./ServerEvents.js"
import { Tail } from "./Tail.js"

/** Calls that go on until their reader leaves. */
export const layerStreamCalls = HttpApiBuilder.group(AdminApi, "streams", (handlers) =>
  Effect.gen(function* () {
    const { logQuery } = yield* ProxyConfig
    const tail = new Tail(yield* Taps, logQuery)
    return handlers.handle("tail", ({ urlParams: { only, session } }) =>
      serverEvents(tail.read({ session, onlyFailed: only === "failed" })),
    )
  }),
)
