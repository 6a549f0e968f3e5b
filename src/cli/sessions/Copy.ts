import * as Command from "@effect/cli/Command"
import { Effect, Option, type Scope } from "effect"
import { onOrOff, text } from "../../domain/Reading.js"
import { StoreUnavailable } from "../../domain/ProxyError.js"
import { databaseUrlForms } from "../../sessions/DatabaseUrl.js"
import type { RowStore } from "../../sessions/RowStore.js"
import {
  type CopyStage,
  type CopyWatcher,
  SessionCopy,
  type TargetInUse,
  type Verified,
} from "../../transfer/SessionCopy.js"
import { printable } from "../../wire/PrintableText.js"
import type { CommandDoc } from "../CommandDoc.js"
import { type Database, databaseAt } from "../Database.js"
import { CommandFailed, UsageError } from "../Failure.js"
import * as Flag from "../Flag.js"
import { countInWords } from "../InWords.js"
import { printDiagnostic, printResult } from "../Output.js"
import { progressBar, progressLine } from "../Progress.js"
import { endBySignal, untilSignal } from "../StoppedBySignal.js"
import { copyActivity, lookAtTarget, openSource, openTarget, refuseSame } from "./CopyStores.js"
import { counted } from "./ImportTally.js"
import { renderJson } from "./SessionView.js"

const from: Flag.Flag<string> = {
  name: "from",
  reading: text("URL"),
  about: "The database that is copied: sqlite:PATH, or postgres://USER@HOST/DATABASE. It is only read.",
}

const to: Flag.Flag<string> = {
  name: "to",
  reading: text("URL"),
  about: "The database that gets the sessions. A file, or tables, that are not there are made.",
}

const replace: Flag.Flag<boolean> = {
  ...Flag.replace,
  about: "Replaces sessions that are there already and differ; others that only --to has stay.",
}

const dryRun: Flag.Flag<boolean> = {
  name: "dry-run",
  reading: onOrOff,
  about: "Compares both, says what a copy would come to, and writes nothing.",
}

export const copyDoc: CommandDoc = {
  path: ["sessions", "copy"],
  summary: "Copy every session to another database.",
  about:
    "Copies every session as it is stored, even if no proxy could use it: URL, status, policies, kills and drains, " +
    "created_at, updated_at, and when it was last active. Sessions are written in batches of 500, each one change. " +
    "Sessions that are there already and the same are skipped, so an interrupted copy goes on when you run it again. " +
    "At the end every session is read again on both sides and compared. Without --replace, nothing is written if the " +
    "target has other sessions. A session that the target refuses is named and left out, and the exit code is 1. Put " +
    "passwords into PGPASSWORD or the password file, where nobody else sees them.",
  args: [],
  groups: [{ title: "Options", flags: [from, to, replace, dryRun, Flag.json] }],
  examples: [
    ["ss-proxy sessions copy --from sqlite:sessions.db --to postgres://proxy@db.internal/proxy", "to PostgreSQL"],
    [
      "ss-proxy sessions copy --from postgres://proxy@db.internal/proxy --to sqlite:sessions.db --replace",
      "and back, over what is there",
    ],
  ],
}

/** Sessions that are left out and named; the others are counted. */
const namedAtMost = 100

interface CopyChoice {
  readonly source: Database
  readonly target: Database
  readonly replace: boolean
  readonly dryRun: boolean
}

/** What a copy has come to, where it came to its end. */
interface Outcome {
  readonly copy: SessionCopy
  /** `undefined` where nothing was written. */
  readonly verified: Verified | undefined
  readonly activity: number
}

const quoted = (ids: ReadonlyArray<string>): string => ids.map((id) => JSON.stringify(id)).join(", ")

const inUse = ({ count, ids }: TargetInUse, { target }: CopyChoice): CommandFailed =>
  new CommandFailed({
    problem: `nothing was copied: ${target.shown} has ${counted(count)} that --from does not have, or has otherwise, such as ${quoted(ids)}`,
    hint: "name an empty database, or add --replace to replace those that have the same id and leave the others",
  })

const reachedOf = ({ copied: { added, replaced, same } }: SessionCopy): string =>
  `${counted(added + replaced + same)} copied and in force; run it again to go on`

/** Says the flag of this command where a store's hint has that of others. */
const byFlag =
  ({ name }: Flag.Flag) =>
  ({ cause, hint, problem }: StoreUnavailable): StoreUnavailable =>
    new StoreUnavailable({ problem, hint: hint.replace(/--db(-path)?\b/, `--${name}`), cause })

const stopped = (copy: SessionCopy, { hint, problem }: StoreUnavailable): CommandFailed =>
  new CommandFailed({
    code: "store_unavailable",
    problem: `the copy stopped: ${problem}`,
    hint: `${hint} ${reachedOf(copy)}`,
  })

const words: Readonly<Record<CopyStage, string>> = {
  checking: "checking what is there",
  copying: "copying",
  verifying: "comparing",
}

const watcherOf = (source: RowStore): Effect.Effect<CopyWatcher, StoreUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    const total = yield* source.count
    const progress = yield* progressLine
    let named = 0
    return {
      reached: (stage, done) =>
        progress(progressBar(total === 0 ? 1 : done / total, `${words[stage]}: ${counted(done)}`)),
      leftOut: (id, reason) =>
        ++named > namedAtMost
          ? Effect.void
          : printDiagnostic(printable(`left out ${JSON.stringify(id)}: ${reason.replaceAll("\n", " ")}`)),
    }
  })

/** Activity is of no use to requests: where it cannot be copied, that is said, and the copy stands. */
const activityOf = ({ source, target }: CopyChoice): Effect.Effect<number> =>
  Effect.catchAll(copyActivity(source, target), ({ problem }) =>
    Effect.as(printDiagnostic(printable(`note: when sessions were last active was not copied: ${problem}`)), 0),
  )

/** A signal ends the process between two batches. */
const copyAll = (
  choice: CopyChoice,
): Effect.Effect<Outcome, CommandFailed | UsageError | StoreUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    yield* refuseSame(choice.source, choice.target)
    const source = yield* Effect.mapError(openSource(choice.source), byFlag(from))
    const opened = choice.dryRun ? lookAtTarget(choice.target) : openTarget(choice.target)
    const target = yield* Effect.mapError(opened, byFlag(to))
    const copy = new SessionCopy(source, target, choice, yield* watcherOf(source))
    const work = Effect.gen(function* () {
      yield* copy.run
      if (choice.dryRun) return { copy, verified: undefined, activity: 0 }
      const activity = yield* activityOf(choice)
      return { copy, verified: yield* copy.verify, activity }
    }).pipe(
      Effect.catchTags({
        TargetInUse: (error) => inUse(error, choice),
        StoreUnavailable: (error) => stopped(copy, error),
      }),
    )
    return yield* Effect.catchTag(untilSignal(work), "StoppedBySignal", (signal) =>
      endBySignal(signal, choice.dryRun ? "nothing was written" : reachedOf(copy)),
    )
  })

const viewOf = ({ activity, copy: { copied }, verified }: Outcome) => ({
  added: copied.added,
  replaced: copied.replaced,
  unchanged: copied.same,
  left_out: copied.leftOut,
  times_lost: copied.oddTimes,
  activity,
  verified:
    verified === undefined
      ? null
      : {
          sessions: verified.sessions,
          policies: verified.policies,
          controls: verified.controls,
          by_status: Object.fromEntries(verified.byStatus),
          differing: verified.differing,
          only_in_target: verified.others,
        },
})

/** Statuses that are named; they are anybody's words, so there may be any number. */
const statusesAtMost = 8

const statusesOf = (byStatus: ReadonlyMap<string, number>): string => {
  const all = Array.from(byStatus).toSorted(([, one], [, other]) => other - one)
  const named = all.slice(0, statusesAtMost).map(([status, count]) => `${count} ${printable(status)}`)
  return [...named, ...(all.length > statusesAtMost ? [`${all.length - statusesAtMost} more statuses`] : [])].join(", ")
}

const summaryOf = ({ activity, copy: { copied }, verified }: Outcome, { source, target }: CopyChoice): string => {
  const { added, replaced, same } = copied
  const parts = [
    ...(replaced > 0 ? [`${replaced} of them replaced`] : []),
    ...(same > 0 ? [`${same} there already and the same`] : []),
  ]
  const what = [counted(added + replaced), ...parts].join(", ")
  if (verified === undefined) return `would copy ${what}; nothing was written`
  const { byStatus, controls, others, policies, sessions } = verified
  const statuses = statusesOf(byStatus)
  return [
    `copied ${what}: ${source.shown} -> ${target.shown}`,
    `verified ${counted(sessions)}${statuses === "" ? "" : ` (${statuses})`}: ${policies} with policies, ${controls} that were asked to end or to drain`,
    ...(activity > 0 ? [`copied when ${countInWords(activity, "session was", "sessions were")} last active`] : []),
    ...(others > 0 ? [`${counted(others)} only ${target.shown} has, and keeps`] : []),
  ].join("\n")
}

/** What did not come to what was asked; it ends the command with exit code 1. */
const complaintOf = ({ copy: { copied }, verified }: Outcome): Effect.Effect<void, CommandFailed> => {
  if (verified !== undefined && verified.differing > 0)
    return new CommandFailed({
      problem: `${counted(verified.differing)} changed while they were copied, such as ${quoted(verified.ids)}`,
      hint: "run it again with --replace when nobody writes",
    })
  return copied.leftOut === 0
    ? Effect.void
    : new CommandFailed({
        problem: `${counted(copied.leftOut)} left out`,
        hint: "correct what is named above in --from, then run it again",
      })
}

const databaseOf = (flag: Flag.Flag<string>, given: Option.Option<string>): Effect.Effect<Database, UsageError> =>
  Option.match(given, {
    onNone: () =>
      new UsageError({
        message: `--${flag.name} is missing; name a database: ${databaseUrlForms}`,
      }),
    onSome: (url) => databaseAt(`--${flag.name}`, url),
  })

export const copyAllSessions = Command.make(
  "copy",
  {
    from: Flag.option(from),
    to: Flag.option(to),
    replace: Flag.isOn(replace),
    dryRun: Flag.isOn(dryRun),
    json: Flag.isOn(Flag.json),
  },
  ({ json, ...given }) =>
    Effect.gen(function* () {
      const source = yield* databaseOf(from, given.from)
      const target = yield* databaseOf(to, given.to)
      const choice = { source, target, replace: given.replace, dryRun: given.dryRun }
      const outcome = yield* Effect.scoped(copyAll(choice))
      const { oddTimes } = outcome.copy.copied
      if (oddTimes > 0)
        yield* printDiagnostic(`note: ${counted(oddTimes)} with a time that cannot be read, which is left empty`)
      yield* printResult(json ? renderJson(viewOf(outcome)) : summaryOf(outcome, choice))
      yield* complaintOf(outcome)
    }),
).pipe(Command.withDescription(copyDoc.summary))
