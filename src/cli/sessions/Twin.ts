import { Effect, Option } from "effect"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import { idCaseRule } from "../../domain/Settings.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { CommandFailed } from "../Failure.js"
import { variable } from "../Flag.js"

/** The variable of `--id-case`, which is a flag of the proxy alone. */
const idCaseVariable = "SS_PROXY_ID_CASE"

/** Fails where proxies compare ids without regard to case, and there is a session of this id in other letters. */
export const refuseTwin = (id: string): Effect.Effect<void, CommandFailed | StoreUnavailable, SessionRepo> =>
  Effect.gen(function* () {
    const idCase = Option.flatMap(yield* variable(idCaseVariable), idCaseRule.read)
    const { findFolded } = yield* SessionRepo
    if (findFolded === undefined || !Option.contains(idCase, "fold")) return
    const twin = (yield* findFolded(id)).find(({ session }) => session.id !== id)?.session.id
    if (twin === undefined) return
    return yield* new CommandFailed({
      problem: `the session ${JSON.stringify(twin)} has this id in other letters, and ${idCaseVariable} is fold`,
      hint: `change that one with "ss-proxy sessions set", or remove it first`,
    })
  })
