import { Effect } from "effect"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { CommandFailed } from "../Failure.js"
import { idCaseInUse, idCaseVariable } from "../IdCase.js"

/** Fails where proxies compare ids without regard to case, and there is a session of this id in other letters. */
export const refuseTwin = (id: string): Effect.Effect<void, CommandFailed | StoreUnavailable, SessionRepo> =>
  Effect.gen(function* () {
    const idCase = yield* idCaseInUse
    const { findFolded } = yield* SessionRepo
    if (findFolded === undefined || idCase !== "fold") return
    const twin = (yield* findFolded(id)).find(({ session }) => session.id !== id)?.session.id
    if (twin === undefined) return
    return yield* new CommandFailed({
      code: "session_exists",
      problem: `the session ${JSON.stringify(twin)} has this id in other letters, and ${idCaseVariable} is fold`,
      hint: `change that one with "ss-proxy sessions set", or remove it first`,
    })
  })
