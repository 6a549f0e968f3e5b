import { Effect, Either } from "effect"
import { probePostgres, type PostgresProbe } from "../../sessions/postgres/PostgresProbe.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { openAsItIs, type PostgresDatabase } from "../Database.js"
import { countInWords, inWords } from "../InWords.js"
import { type Finding, findingsOf, unavailable } from "./Finding.js"

/** A difference of clocks that is larger is no rounding. Milliseconds. */
const clockMargin = 2_000

/** Whether the database can be reached, and has what a proxy needs. */
const contentOf = (database: PostgresDatabase): Effect.Effect<Finding> =>
  Effect.flatMap(SessionRepo, ({ tally }) => tally).pipe(
    Effect.provide(openAsItIs(database)),
    Effect.match({
      onFailure: (error) => unavailable("database", error),
      onSuccess: ({ forwarding, others }) => {
        const sessions = countInWords(forwarding + others, "session")
        return findingsOf("database").ok(`${database.shown}: ${sessions}, ${forwarding} of a status that forwards`)
      },
    }),
  )

const writing = ({ forbidden, takesWrites, version }: PostgresProbe): Finding => {
  const { fail, ok } = findingsOf("writing")
  if (!takesWrites)
    return fail(
      "the server takes no writes: it is a standby, or default_transaction_read_only is on",
      "name the primary in --db; several hosts may be named",
    )
  if (forbidden.length > 0)
    return fail(
      `this role may not write ${forbidden.join(", ")}`,
      `GRANT SELECT, INSERT, UPDATE, DELETE ON ${forbidden.join(", ")} TO this role`,
    )
  return ok(`PostgreSQL ${version} takes writes, and this role may write the tables`)
}

const notices = ({ counts, untold }: PostgresProbe): Finding => {
  const { ok, warn } = findingsOf("notices")
  if (untold.length > 0)
    return warn(
      `triggers that tell proxies of changes are missing or switched off: ${untold.join(", ")}`,
      "start a proxy as the role that owns the tables: it makes them again",
    )
  if (!counts)
    return warn(
      "track_counts is off: a change that no trigger tells of is not found",
      "switch it on in postgresql.conf, and never switch off the triggers",
    )
  return ok("triggers tell proxies of every change")
}

const clock = ({ ahead }: PostgresProbe): Finding => {
  const { ok, warn } = findingsOf("clock")
  if (Math.abs(ahead) <= clockMargin) return ok("the clock of this machine is that of the database")
  const direction = ahead > 0 ? "behind" : "ahead of"
  return warn(
    `the clock of this machine is ${inWords(Math.abs(ahead))} ${direction} that of the database`,
    "set both (timedatectl): drains and idle times go by them",
  )
}

/** All that is to be known of it. */
export const postgresChecks = (database: PostgresDatabase): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.gen(function* () {
    const content = yield* contentOf(database)
    if (content.result === "fail") return [content]
    const probed = yield* Effect.either(probePostgres(database.place))
    return Either.match(probed, {
      onLeft: (error) => [content, unavailable("writing", error)],
      onRight: (probe) => [content, writing(probe), notices(probe), clock(probe)],
    })
  })
