import { Effect, Either, Layer, Logger } from "effect"
import { defaultClose } from "../../domain/SessionControl.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { type Database, openDatabase } from "../Database.js"
import type { TopSource } from "./TopSource.js"
import type { Action } from "./TopState.js"

const grace = 30_000

type SessionAction = Extract<Action, { readonly session: string }>

const inStore = ({ _tag, session }: SessionAction) =>
  Effect.gen(function* () {
    const repo = yield* SessionRepo
    switch (_tag) {
      case "Kill":
        yield* repo.kill(session, {})
        return `killed what was live on ${session} (WebSockets: ${defaultClose.code})`
      case "Drain":
        yield* repo.drain(session, grace)
        return `${session} drains`
      case "Resume":
        yield* repo.resume(session)
        return `${session} takes requests again`
    }
  })

const endLive = (source: TopSource, live: string) =>
  Effect.map(
    source.everywhere((calls) => calls.live.end({ path: { live } })),
    (outcomes) => (outcomes.some(Either.isRight) ? `ended ${live}` : `${live} is over already`),
  )

/** Does what a key asked for, and says what came of it. */
export const perform = (
  action: SessionAction | Extract<Action, { readonly live: string }>,
  source: TopSource,
  database: Database,
): Effect.Effect<string> =>
  action._tag === "End"
    ? endLive(source, action.live)
    : Effect.gen(function* () {
        const store = yield* openDatabase(database, "change")
        return yield* Effect.provide(inStore(action), Layer.merge(store, Logger.remove(Logger.defaultLogger)))
      }).pipe(
        Effect.catchTags({
          SessionNotFound: () => Effect.succeed(`there is no session ${action.session} any more`),
          SessionInvalid: ({ problem }) => Effect.succeed(problem),
          StoreUnavailable: ({ hint, problem }) => Effect.succeed(`${problem}; ${hint}`),
        }),
      )
