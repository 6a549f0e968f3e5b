import { spawn } from "node:child_process"
import * as Command from "@effect/cli/Command"
import { Effect, Option, Queue, Runtime } from "effect"
import { onOrOff } from "../../domain/Reading.js"
import type { CommandDoc } from "../CommandDoc.js"
import { type Database, databaseFlags, databaseOptions, resolveDatabase } from "../Database.js"
import { CommandFailed } from "../Failure.js"
import * as Flag from "../Flag.js"
import { printDiagnostic, printResult } from "../Output.js"
import { stopSignals } from "../StopSignal.js"
import { styleOf } from "../Style.js"
import { renderJson } from "../sessions/SessionView.js"
import { type AdminPlace, nameOf } from "./AdminPlace.js"
import { admin, adminOption, callFailed, noProxy, runningPlaces } from "./Proxies.js"

const open: Flag.Flag<boolean> = {
  name: "open",
  reading: onOrOff,
  about: "Opens it in the browser of this machine.",
}

export const dashboardDoc: CommandDoc = {
  path: ["dashboard"],
  summary: "Show the dashboard of a running proxy.",
  about:
    "Prints the address of the dashboard, with a token for 12 hours. If the proxy has no --admin-port, this command " +
    "serves the dashboard itself, on a free port of this machine, until Ctrl-C. Anybody who has the address may " +
    "change everything.",
  args: [],
  groups: [
    { title: "Options", flags: [open, Flag.json, admin] },
    { title: "Database", flags: databaseFlags },
  ],
  examples: [
    ["ss-proxy dashboard --open", "opens it in the browser"],
    ["ss-proxy dashboard --admin ./admin.sock", "of one of several proxies"],
  ],
  runsOn: true,
}

/** The one proxy whose dashboard is shown. */
const onePlace = (places: ReadonlyArray<AdminPlace>, database: Database): Effect.Effect<AdminPlace, CommandFailed> => {
  const [first, ...others] = places
  if (first === undefined) return noProxy(database)
  if (others.length === 0) return Effect.succeed(first)
  const names = places.map(nameOf)
  return new CommandFailed({
    problem: `${places.length} proxies run on this database: ${names.join(", ")}`,
    hint: "name one with --admin",
  })
}

const addressOf = (base: string, token: string): string => `${base}/#token=${encodeURIComponent(token)}`

const programs: Readonly<Record<string, string>> = { darwin: "open", win32: "explorer" }

/** Opens an address in a browser. That there is none is no failure: the address is printed. */
const openInBrowser = (address: string): Effect.Effect<void> =>
  Effect.async((resume) => {
    const program = programs[process.platform] ?? "xdg-open"
    const child = spawn(program, [address], { stdio: "ignore", detached: true })
    child.once("spawn", () => resume(Effect.void))
    child.once("error", () =>
      resume(printDiagnostic(`note: ${program} could not be started; open the address yourself`)),
    )
    child.unref()
  })

interface Shown {
  readonly json: boolean
  readonly open: boolean
}

/** `serves`: whether it is there only as long as this command runs. */
const show = (address: string, serves: boolean, { json, open }: Shown): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { cyan, dim } = styleOf(process.stdout)
    yield* printResult(json ? renderJson({ url: address, serves }) : cyan(address))
    const note = "The address holds a token: anybody who has it may change everything. Stop with Ctrl-C."
    if (serves && !json) yield* printDiagnostic(dim(note))
    if (open) yield* openInBrowser(address)
  })

/** Serves it until a signal. A proxy that is started again has another socket beside its database. */
const serve = (path: string, database: Database, shown: Shown) =>
  Effect.scoped(
    Effect.gen(function* () {
      const signals = yield* stopSignals
      const { startRelay } = yield* Effect.promise(() => import("../../admin/Relay.js"))
      const run = Runtime.runFork(yield* Effect.runtime<never>())
      let current = path
      const search = Effect.map(runningPlaces(Option.none(), database), ([place]) => {
        if (place !== undefined && "path" in place) current = place.path
      })
      const { port, token } = yield* Effect.mapError(
        startRelay({ path: () => current, lost: () => void run(search) }),
        ({ hint, reason }) => new CommandFailed({ problem: `cannot listen on this machine: ${reason}`, hint }),
      )
      yield* show(addressOf(`http://127.0.0.1:${port}`, token), true, shown)
      yield* Queue.take(signals)
    }),
  )

const showDashboard = (place: AdminPlace, database: Database, shown: Shown) =>
  Effect.gen(function* () {
    if ("url" in place) {
      if (place.token !== undefined) return yield* show(addressOf(place.url, place.token), false, shown)
      return yield* new CommandFailed({
        problem: `${place.url} needs a token`,
        hint: "set SS_PROXY_ADMIN_TOKEN, or name the admin socket with --admin",
      })
    }
    const { adminClient } = yield* Effect.promise(() => import("./AdminClient.js"))
    const proxy = yield* adminClient(place)
    const { url } = yield* Effect.mapError(proxy.makeToken({ payload: {} }), callFailed)
    if (url !== null) return yield* show(url, false, shown)
    yield* serve(place.path, database, shown)
  })

export const dashboard = Command.make(
  "dashboard",
  { open: Flag.isOn(open), json: Flag.isOn(Flag.json), admin: adminOption, database: databaseOptions },
  ({ admin, json, open, ...choice }) =>
    Effect.gen(function* () {
      const database = yield* resolveDatabase(choice.database)
      const place = yield* Effect.flatMap(runningPlaces(admin, database), (places) => onePlace(places, database))
      yield* showDashboard(place, database, { json, open })
    }),
).pipe(Command.withDescription(dashboardDoc.summary))
