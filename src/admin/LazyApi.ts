import { Effect, type Scope } from "effect"
import type { AdminAnswer } from "./AdminAnswer.js"
import type { ApiHandler, ApiParts } from "./calls/ApiServer.js"

/** The API, and its descriptions, which are loaded when they are asked for first. */
export interface LazyApi {
  readonly handler: Effect.Effect<ApiHandler>
  readonly description: Effect.Effect<string>
  /** The same for people. */
  readonly reference: Effect.Effect<AdminAnswer>
}

/** What was loaded is kept as long as the scope. */
export const lazyApi: Effect.Effect<LazyApi, never, ApiParts | Scope.Scope> = Effect.gen(function* () {
  const context = yield* Effect.context<ApiParts | Scope.Scope>()
  const loaded = Effect.promise(() => import("./calls/ApiServer.js"))
  const description = yield* Effect.cached(Effect.map(loaded, ({ openApi }) => openApi()))
  const renderer = Effect.promise(() => import("./calls/Reference.js"))
  return {
    handler: yield* Effect.cached(
      Effect.flatMap(loaded, ({ makeApiHandler }) => Effect.provide(makeApiHandler, context)),
    ),
    description,
    reference: yield* Effect.cached(
      Effect.zipWith(renderer, description, ({ referencePage }, text) => referencePage(text)),
    ),
  }
})
