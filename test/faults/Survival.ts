import { assert } from "@effect/vitest"
import { Context, Effect, Layer, type Scope } from "effect"
import { eventually, type NotSeen } from "../support/Changes.js"
import { request } from "../support/HttpText.js"
import { ProxyProcess, type ProxyOptions } from "../support/ProxyProcess.js"
import { RawClient } from "../support/RawClient.js"
import { ServerProcess } from "./ServerProcess.js"

/** A proxy with two sessions: the server of one, `struck`, fails; that of the other, `steady`, does not. */
export class Survival extends Context.Tag("test/Survival")<
  Survival,
  {
    readonly proxy: ProxyProcess
    readonly port: number
    readonly struck: ServerProcess
    readonly steady: ServerProcess
    readonly connect: Effect.Effect<RawClient, never, Scope.Scope>
    /** Asks the session whose server is well, and checks its answer. */
    readonly asksSteady: Effect.Effect<void, NotSeen>
  }
>() {
  /** For all tests of a file: it also has to stop by SIGTERM with exit code 0, after all that they did to it. */
  static layer(options: Partial<ProxyOptions> = {}): Layer.Layer<Survival, NotSeen> {
    return Layer.scoped(Survival, startSurvival(options))
  }
}

/** The servers close connections that are idle for 5 seconds, and until then the proxy keeps them. Milliseconds, with a reserve. */
const idleTime = 12_000

/** Whatever was done to it: the proxy answers, and has let go of all that it opened meanwhile. */
export const survives = <A, E, R>(fault: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const { asksSteady, proxy } = yield* Survival
    // The connection to that server stays open.
    yield* asksSteady
    const before = proxy.descriptors
    const result = yield* Effect.scoped(fault)
    yield* asksSteady
    yield* eventually(
      Effect.sync(() => proxy.descriptors.length <= before.length),
      `the descriptors of the start (${before.length})`,
      idleTime,
    ).pipe(Effect.tapError(() => Effect.logError(`${before.join()} THEN ${proxy.descriptors.join()}`)))
    assert.notMatch(proxy.said, /defect|internal_error/)
    return result
  })

/** Starts the proxy and both servers. At the end the proxy has to stop by SIGTERM with exit code 0. */
export const startSurvival = (
  options: Partial<ProxyOptions> = {},
): Effect.Effect<typeof Survival.Service, NotSeen, Scope.Scope> =>
  Effect.gen(function* () {
    const struck = yield* ServerProcess.start
    const steady = yield* ServerProcess.start
    const sessions = { struck: struck.url, steady: steady.url, ...options.sessions }
    // The file of activity is opened by and by, and would count as one that stays open.
    const flags = ["--activity-interval", "0", ...(options.flags ?? [])]
    const proxy = yield* ProxyProcess.startWith({ ...options, flags, sessions })
    yield* Effect.addFinalizer(() =>
      Effect.gen(function* () {
        yield* proxy.signal("SIGTERM")
        assert.strictEqual(yield* proxy.ended, 0, proxy.said)
      }),
    )
    const port = Number(new URL(proxy.url).port)
    const connect = RawClient.connect(port)
    const asksSteady = Effect.scoped(
      Effect.gen(function* () {
        const client = yield* connect
        const { status, text } = yield* client.ask(request("GET /steady/whole"))
        assert.deepStrictEqual([status, text], [200, "hello"])
      }),
    )
    return { proxy, port, struck, steady, connect, asksSteady }
  })

/** What a client asks with that wants a WebSocket. */
export const handshake = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
]

/** A client of the session `struck` whose server has got as far as the path says. */
export const clientAt = (path: string, lines: ReadonlyArray<string> = [], body = "") =>
  Effect.gen(function* () {
    const { connect, struck } = yield* Survival
    const client = yield* connect
    const before = struck.count(path)
    yield* client.send(request(`${path === "/upload" ? "POST" : "GET"} /struck${path}`, lines, body))
    yield* struck.reached(path, before + 1)
    return client
  })

/** A text frame of a client, without a mask that changes anything. */
export const frame = (text: string): string => `\x81${String.fromCharCode(0x80 | text.length)}\0\0\0\0${text}`
