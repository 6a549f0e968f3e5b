import { Effect } from "effect"
import type { ProxySettings } from "../../domain/ProxyConfig.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { isLabel } from "../../wire/SessionHosts.js"
import { type Database, openAsItIs } from "../Database.js"
import { idInNames } from "../IdCase.js"
import { countInWords } from "../InWords.js"
import { type Finding, findingsOf, unavailable } from "./Finding.js"

const shownIds = 3

const { ok, warn } = findingsOf("names")

const findingFor = (nameless: number, shown: ReadonlyArray<string>, hosts: ReadonlyArray<string>): Finding => {
  if (nameless === 0) return ok(`every session has a name below ${hosts.join(" and ")}`)
  const more = nameless > shown.length ? [`${nameless - shown.length} more`] : []
  return warn(
    `${countInWords(nameless, "session")} without a name below ${hosts.join(" and ")}: ${[...shown, ...more].join(", ")}`,
    "nothing, if their paths will do; else give them ids of at most 63 of a-z, 0-9, - and _",
  )
}

/** Whether all sessions can have names below `--session-hosts`. */
export const nameChecks = (
  database: Database,
  { idCase, sessionHosts: hosts }: Pick<ProxySettings, "idCase" | "sessionHosts">,
): Effect.Effect<Finding> =>
  Effect.gen(function* () {
    const repo = yield* SessionRepo
    const shown: Array<string> = []
    let nameless = 0
    yield* repo.forEachPage({ sort: "id", prefix: "" }, (sessions) =>
      Effect.sync(() => {
        for (const { id } of sessions) if (!isLabel(idInNames(id, idCase)) && ++nameless <= shownIds) shown.push(id)
        return true
      }),
    )
    return findingFor(nameless, shown, hosts)
  }).pipe(
    Effect.provide(openAsItIs(database)),
    Effect.catchAll((error) => Effect.succeed(unavailable("names", error))),
  )
