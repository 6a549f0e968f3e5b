import { Effect, Option, Predicate } from "effect"
import { isAnswered, ownerOf, socketsBeside } from "../../admin/SocketPlaces.js"
import { text } from "../../domain/Reading.js"
import type { Database } from "../Database.js"
import { besideOf, ownerOfDatabase } from "../DatabasePlace.js"
import { CommandFailed } from "../Failure.js"
import { type Flag, option, variable } from "../Flag.js"
import { databaseFlag, programName } from "../ProgramName.js"
import type { AdminCalls } from "./AdminClient.js"
import { type AdminPlace, askedInVain } from "./AdminPlace.js"

/** Which proxy is asked. */
export const admin: Flag<string> = {
  name: "admin",
  reading: text("URL|PATH"),
  env: "SS_PROXY_ADMIN",
  about:
    "The proxy to ask: its admin socket, or http://HOST:PORT with SS_PROXY_ADMIN_TOKEN. Default: all on the database.",
}

export const adminOption = option(admin)

/** Whether a socket belongs to who may be trusted with what is asked there: this user, root, or the owner of the database. */
const isTrusted = (path: string, database: Database): boolean => {
  const owner = ownerOf(path)
  return owner === 0 || owner === process.getuid?.() || (owner !== undefined && owner === ownerOfDatabase(database))
}

const stranger = (path: string): CommandFailed =>
  new CommandFailed({
    problem: `${path} is not a socket of yours, of root, or of the owner of the database`,
    hint: "name another with --admin",
  })

/** The place that was named. */
const placeOf = (given: string, database: Database): Effect.Effect<AdminPlace, CommandFailed> =>
  Effect.gen(function* () {
    if (/^http:\/\//i.test(given)) {
      if (!URL.canParse(given))
        return yield* new CommandFailed({
          problem: `${given} is not a URL`,
          hint: "--admin is http://HOST:PORT, or a path",
        })
      const token = Option.getOrUndefined(yield* variable("SS_PROXY_ADMIN_TOKEN"))
      return { url: given.replace(/\/+$/, ""), token }
    }
    if (ownerOf(given) !== undefined && !isTrusted(given, database)) return yield* stranger(given)
    return { path: given }
  })

/** The sockets beside the database on which somebody answers. */
export const answered = (database: Database): Effect.Effect<ReadonlyArray<{ readonly path: string }>> =>
  Effect.gen(function* () {
    const own = socketsBeside(besideOf(database)).filter((path) => isTrusted(path, database))
    const paths = yield* Effect.filter(own, isAnswered, { concurrency: 8 })
    return paths.map((path) => ({ path }))
  })

/** Where proxies run on the database that can be asked, or the one place that was named. */
export const runningPlaces = (
  given: Option.Option<string>,
  database: Database,
): Effect.Effect<ReadonlyArray<AdminPlace>, CommandFailed> =>
  Option.isSome(given) ? Effect.map(placeOf(given.value, database), (place) => [place]) : answered(database)

/** That somebody has to be asked, and nobody can be. */
export const noProxy = (database: Database): CommandFailed =>
  new CommandFailed({
    code: "no_proxy",
    problem: `no proxy runs on ${database.shown}, or none with an admin socket`,
    hint: `start one with ${programName()} run${databaseFlag(database)}, or name one with --admin`,
  })

/** The same where there has to be one. */
const neededPlaces = (
  given: Option.Option<string>,
  database: Database,
): Effect.Effect<ReadonlyArray<AdminPlace>, CommandFailed> =>
  Effect.filterOrFail(
    runningPlaces(given, database),
    (places) => places.length > 0,
    () => noProxy(database),
  )

/** The calls of the proxies at these places. What asks them is loaded only where there is one. */
export const callsAt = (places: ReadonlyArray<AdminPlace>): Effect.Effect<ReadonlyArray<AdminCalls>> =>
  Effect.gen(function* () {
    if (places.length === 0) return []
    const { adminClient } = yield* Effect.promise(() => import("./AdminClient.js"))
    return yield* Effect.forEach(places, adminClient)
  })

/** The proxies that run on the database, or the one that was named. */
export const runningProxies = (
  given: Option.Option<string>,
  database: Database,
): Effect.Effect<ReadonlyArray<AdminCalls>, CommandFailed> => Effect.flatMap(runningPlaces(given, database), callsAt)

/** The same where there has to be one. */
export const neededProxies = (
  given: Option.Option<string>,
  database: Database,
): Effect.Effect<ReadonlyArray<AdminCalls>, CommandFailed> => Effect.flatMap(neededPlaces(given, database), callsAt)

/** Whether a proxy has said that there is no such thing. What its problems are made of is not loaded for that. */
export const isNotFound = (error: unknown): boolean =>
  Predicate.isTagged(error, "ApiProblem") && Predicate.hasProperty(error, "status") && error.status === 404

/** A call that failed: what the proxy said, or why it could not be asked. */
export const callFailed = (error: unknown): CommandFailed => {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const problem = cause instanceof Error ? cause.message : String(cause)
  return askedInVain(problem)
}

/** Between two looks, in milliseconds: proxies keep rates of sessions from the first one on. */
const rateWait = 2_500

/** What is seen at the second of two looks, when rates of sessions are known. */
export const secondLook = <A, E>(look: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.zipRight(look, Effect.delay(look, rateWait))
