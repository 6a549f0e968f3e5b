import { Effect, type Layer, type Scope } from "effect"
import type { ProxySettings, SettingsError } from "../../src/domain/ProxyConfig.js"
import type { StoreUnavailable } from "../../src/domain/ProxyError.js"
import type { SessionRepo } from "../../src/sessions/SessionRepo.js"
import type { ActivityStore } from "../../src/sessions/ActivityStore.js"
import type { AdminError } from "../../src/admin/AdminServer.js"
import type { NotSeen } from "./Changes.js"
import type { HttpMessage } from "./HttpMessage.js"
import { answer } from "./HttpText.js"
import { answering, RawOrigin, type Script } from "./RawOrigin.js"
import { startProxy, type TestProxy } from "./TestProxy.js"

/** What differs from the plain laboratory. */
export interface LabOptions {
  /** What the origin does; without it every request is answered `200` with the body `hello`. */
  readonly script?: Script
  /** Path after the origin's URL, in the session's URL. */
  readonly base?: string
  readonly settings?: Partial<ProxySettings>
  /** Hooks, stages and observers. */
  readonly hooks?: Layer.Layer<never>
  /** Where activity is kept; nowhere by default. */
  readonly activityStore?: Layer.Layer<ActivityStore>
  /** The store, in place of one in memory. */
  readonly repo?: Layer.Layer<SessionRepo, StoreUnavailable>
}

/** A proxy with one session, `app`, and its origin. */
export interface Lab {
  readonly origin: RawOrigin
  readonly proxy: TestProxy
  /** Sends the pieces on a new connection, and reads the response to the request that they begin with. */
  readonly ask: (...pieces: ReadonlyArray<string>) => Effect.Effect<HttpMessage, NotSeen, Scope.Scope>
}

/** The answer of an origin that was not told another. */
export const hello: string = answer("200 OK", "hello")

/** Starts origin and proxy; both check at the end of the scope that nothing was left behind. */
export const startLab = (
  options: LabOptions = {},
): Effect.Effect<Lab, AdminError | SettingsError | StoreUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    const origin = yield* RawOrigin.start(options.script ?? answering(hello))
    const url = origin.url + (options.base ?? "")
    const proxy = yield* startProxy({
      sessions: { app: url },
      ...(options.repo === undefined ? {} : { repo: options.repo }),
      ...(options.settings === undefined ? {} : { settings: options.settings }),
      ...(options.hooks === undefined ? {} : { hooks: options.hooks }),
      ...(options.activityStore === undefined ? {} : { activityStore: options.activityStore }),
    })
    if (options.repo !== undefined) yield* Effect.orDie(proxy.repo.put({ id: "app", url, status: "active" }))
    return {
      origin,
      proxy,
      ask: (...pieces) => Effect.flatMap(proxy.connect, (client) => client.ask(...pieces)),
    }
  })
