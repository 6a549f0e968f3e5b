import * as Command from "@effect/cli/Command"
import { Effect } from "effect"
import { duration, oneOf, onOrOff, text } from "../../domain/Reading.js"
import { admin, adminOption, secondLook } from "../admin/Proxies.js"
import type { CommandDoc } from "../CommandDoc.js"
import { databaseFlags, databaseOptions, resolveDatabase } from "../Database.js"
import { type CommandFailed, UsageError } from "../Failure.js"
import * as Flag from "../Flag.js"
import { SignalCatcher } from "../SignalCatcher.js"
import { untilSignal } from "../StoppedBySignal.js"
import { type Snapshot, type TopSort, topSorts } from "./Snapshot.js"
import { printJsonLine, printTable } from "./TopPlain.js"
import { TopSource } from "./TopSource.js"

const defaultInterval = 1_000

const sort: Flag.Flag<TopSort> = {
  name: "sort",
  reading: oneOf("BY", topSorts),
  about: `What comes first: the most ${topSorts.slice(0, -1).join(", ")}, or the longest idle.`,
  fallback: "requests",
}

const filter: Flag.Flag<string> = {
  name: "filter",
  reading: text("TEXT"),
  about: "Shows only the sessions whose id has this in it.",
}

const interval: Flag.Flag<number> = {
  name: "interval",
  reading: duration,
  about: "How often the proxies are asked.",
  fallback: duration.show(defaultInterval),
}

const once: Flag.Flag<boolean> = {
  name: "once",
  reading: onOrOff,
  about: "Prints one table, and ends. So does top without a terminal.",
}

const json: Flag.Flag<boolean> = {
  ...Flag.json,
  about: "Prints a JSON value on a line, every interval; with --once one.",
}

export const topDoc: CommandDoc = {
  path: ["top"],
  summary: "Watch what the sessions do, and step in.",
  about:
    "Shows the sessions of all proxies on a database, the busiest first, and updates every second. Keys on a " +
    "terminal: s next order, / filter, Enter what is live on a session, k kill and d drain (both ask first), r " +
    "resume, p pause, ? help, q quit. k kills, as in htop; the arrow keys move. It needs 60 columns. Numbers of " +
    "several proxies are added up; of p50 and p99 it shows the worst. It finds a proxy again that was restarted. It " +
    "restores the terminal when it ends; after SIGKILL, run reset.",
  args: [],
  groups: [
    { title: "Options", flags: [sort, filter, interval, once, json, admin] },
    { title: "Database", flags: databaseFlags },
  ],
  examples: [
    ["ss-proxy top", "everything, until q"],
    ["ss-proxy top --sort errors --filter team-a", "those of a team that fail most"],
    ["ss-proxy top --once --json", "one look, for a program"],
  ],
}

interface TopChoice {
  readonly sort: TopSort
  readonly filter: string
  readonly interval: number
  readonly once: boolean
  readonly json: boolean
}

/** The most sessions that are printed. */
const mostPrinted = 1_000

/** Prints what is found, once or every interval. */
const print = (
  source: TopSource,
  { filter, interval, json, once, sort }: TopChoice,
): Effect.Effect<void, CommandFailed> =>
  Effect.gen(function* () {
    const look = Effect.map(
      source.look({ sort, filter, limit: mostPrinted, live: undefined }),
      ({ snapshot }) => snapshot,
    )
    const show = json ? printJsonLine : printTable
    const print = (snapshot: Snapshot) => show(snapshot, sort, filter)
    if (once || !json) return yield* Effect.flatMap(secondLook(look), print)
    // Rates are known from the second look on.
    yield* look
    return yield* Effect.forever(Effect.delay(Effect.flatMap(look, print), interval))
  })

/** Ctrl-C ends it well, as q does; another signal does what it does by itself, on a terminal that is as it was. */
const endedBy = (signal: NodeJS.Signals): Effect.Effect<void> =>
  signal === "SIGINT"
    ? Effect.void
    : Effect.suspend(() => {
        SignalCatcher.current?.stop()
        process.kill(process.pid, signal)
        return Effect.never
      })

/** Whether there is a terminal that can be drawn on, and that keys come from. */
const isDrawable = (): boolean =>
  process.stdin.isTTY && process.stdout.isTTY && (process.env["TERM"] ?? "dumb") !== "dumb"

/** Draws on the terminal. What that needs is loaded only here. */
const draw = (source: TopSource, choice: TopChoice): Effect.Effect<void, CommandFailed> =>
  Effect.gen(function* () {
    const { perform } = yield* Effect.promise(() => import("./TopActions.js"))
    const { runTop } = yield* Effect.promise(() => import("./TopProgram.js"))
    yield* runTop(source, { ...choice, perform: (action) => perform(action, source) })
  }).pipe(Effect.scoped)

const start = (choice: TopChoice, source: TopSource): Effect.Effect<void, CommandFailed> => {
  const isPlain = choice.once || choice.json || !isDrawable()
  const work = isPlain ? print(source, choice) : draw(source, choice)
  return Effect.catchTag(untilSignal(work), "StoppedBySignal", ({ signal }) => endedBy(signal))
}

export const top = Command.make(
  "top",
  {
    sort: Flag.optionOr(sort, "requests"),
    filter: Flag.optionOr(filter, ""),
    interval: Flag.optionOr(interval, defaultInterval),
    once: Flag.isOn(once),
    json: Flag.isOn(json),
    admin: adminOption,
    database: databaseOptions,
  },
  ({ admin, database: chosen, ...choice }) =>
    Effect.gen(function* () {
      if (choice.interval <= 0)
        return yield* new UsageError({ message: "--interval is 0; it must be a time such as 1s" })
      const database = yield* resolveDatabase(chosen)
      yield* start(choice, new TopSource(admin, database))
    }),
).pipe(Command.withDescription(topDoc.summary))
