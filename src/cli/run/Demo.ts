import type { Database } from "../Database.js"
import { Effect, Layer, Option } from "effect"
import type { Scope } from "effect"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import { DemoDownstream, isDemoServer } from "../../demo/DemoDownstream.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { redactUrl } from "../../wire/DownstreamUrl.js"
import { CommandFailed } from "../Failure.js"
import { databaseFlag, programName } from "../ProgramName.js"

const demoId = "demo"

/** Whether a URL is that of a demo server, of this run or another. */
const isDemoUrl = (url: string): boolean => /^http:\/\/127\.0\.0\.1:\d+\/built-in-demo$/.test(url)

const foreignDemo = (url: string): CommandFailed =>
  new CommandFailed({
    problem: `there is a session "${demoId}" of your own in the database, for ${redactUrl(url)}`,
    hint: `start without --demo, with another --db-path, or remove it: ss-proxy sessions remove ${demoId}`,
  })

/**
 * Stores the demo session, and replaces one that a former run left behind. Returns whether it did. It does not if the
 * demo server of another run answers: then the session belongs to that run, and this proxy uses it, too.
 */
const putDemo = (url: string): Effect.Effect<boolean, CommandFailed | StoreUnavailable, SessionRepo> =>
  Effect.gen(function* () {
    const repo = yield* SessionRepo
    const session = { id: demoId, url, status: "active" }
    const found = yield* repo.find(demoId)
    if (Option.isNone(found))
      return yield* repo.add(session).pipe(
        Effect.as(true),
        Effect.catchTag("SessionExists", () => putDemo(url)),
      )
    const present = found.value.session.url
    if (!isDemoUrl(present)) return yield* foreignDemo(present)
    if (yield* isDemoServer(present)) {
      yield* Effect.logInfo(
        `the session ${demoId} is that of another run --demo on this database, and goes when that one stops`,
      )
      return false
    }
    yield* repo.put(session)
    return true
  }).pipe(Effect.catchTag("SessionInvalid", Effect.die))

/** Removes the demo session, unless its URL has been changed meanwhile. */
const removeDemo = (url: string): Effect.Effect<void, never, SessionRepo> =>
  Effect.gen(function* () {
    const repo = yield* SessionRepo
    const found = yield* repo.find(demoId)
    if (Option.isSome(found) && found.value.session.url === url) yield* repo.remove(demoId)
  }).pipe(Effect.catchAll((error) => Effect.logWarning("the session demo could not be removed", error)))

/** Runs a demo server with a session until the scope closes. */
export const demoSession: Effect.Effect<void, CommandFailed | StoreUnavailable, SessionRepo | Scope.Scope> = Effect.gen(
  function* () {
    const context = yield* Effect.catchTag(
      Layer.build(DemoDownstream.layer),
      "DemoListenError",
      () =>
        new CommandFailed({
          problem: "the demo server cannot listen on 127.0.0.1",
          hint: "start without --demo, or allow it to listen there",
        }),
    )
    const { url } = yield* Effect.provide(DemoDownstream, context)
    yield* Effect.acquireRelease(putDemo(url), (isOurs) => (isOurs ? removeDemo(url) : Effect.void))
  },
)

/** Node has a `WebSocket` client since version 22; version 20 needs a flag. */
const nodeWithWebSocket = Number.parseInt(process.versions.node, 10) < 22 ? "node --experimental-websocket" : "node"

/** What can be tried of a proxy. */
export interface DemoPlace {
  /** Where it is, without a slash at the end. */
  readonly url: string
  readonly port: number
  /** Below which names sessions have names of their own; the first is shown. */
  readonly hosts: ReadonlyArray<string>
  readonly database: Database
}

/** Command lines to copy, and an address for a browser. */
export const whatToTry = ({ database, hosts, port, url }: DemoPlace): string =>
  [
    "Try it, from another terminal:",
    "",
    "  # a request, and what the server behind the proxy saw of it",
    `  curl ${url}/${demoId}/get`,
    "",
    "  # the same server under a name of its own, for a browser",
    `  http://${demoId}.${hosts[0] ?? "localhost"}:${port}/get`,
    "",
    "  # a chat completion, streamed word by word",
    `  curl -N ${url}/${demoId}/v1/chat/completions -H 'Content-Type: application/json' \\`,
    `    -d '{"stream":true,"messages":[{"role":"user","content":"Hello through the proxy"}]}'`,
    "",
    "  # a WebSocket that echoes",
    `  ${nodeWithWebSocket} -e 'const s = new WebSocket("${url.replace(/^http/, "ws")}/ws/${demoId}");`,
    `    s.onopen = () => s.send("hello"); s.onmessage = (m) => { console.log(m.data); s.close() }'`,
    "",
    "  # a server of your own",
    `  ${programName()} sessions add my-session http://localhost:9000${databaseFlag(database)}`,
    `  curl ${url}/my-session/`,
    "",
    "  # what goes on, here or in a browser",
    `  ${programName()} top${databaseFlag(database)}`,
    `  ${programName()} dashboard --open${databaseFlag(database)}`,
    "",
  ].join("\n")
