import { assert, describe, expect, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { connect, createServer } from "node:net"
import { eventually } from "../support/Changes.js"
import { childrenOf } from "../support/ChildProcesses.js"
import { ProxyProcess } from "../support/ProxyProcess.js"
import { RawClient } from "../support/RawClient.js"
import { answering, RawOrigin, silent } from "../support/RawOrigin.js"
import { answer, bareRequest } from "../support/HttpText.js"
import { runProgram, temporaryFolder as folderOfTest } from "../cli/Program.js"
import { listening } from "../support/Listening.js"

const withWorkers = ["env", "SS_PROXY_WORKERS=2", "SS_PROXY_ACCESS_LOG=json", "SS_PROXY_GRACE=20"]

const get = (path: string): string => bareRequest(`GET ${path}`, ["Host: proxy"])

const portOf = ({ url }: ProxyProcess): number => Number(new URL(url).port)

/** The worker that has served the request for a path. */
const workerOf = (proxy: ProxyProcess, path: string): number | undefined => {
  const [, worker] = new RegExp(`"target":"${path}",.*"worker":(\\d)`).exec(proxy.said) ?? []
  return worker === undefined ? undefined : Number(worker)
}

interface Connected {
  readonly client: RawClient
  readonly worker: number | undefined
}

let paths = 0

/** A connection that has been used once, and the worker that has it. */
const connection = (proxy: ProxyProcess) =>
  Effect.gen(function* () {
    const path = `/app/${++paths}`
    const client = yield* RawClient.connect(portOf(proxy))
    const { status } = yield* client.ask(get(path))
    assert.strictEqual(status, 200)
    yield* proxy.says(`"target":"${path}"`)
    const connected: Connected = { client, worker: workerOf(proxy, path) }
    return connected
  })

/** A connection to each of the two workers. */
const connectionsToBoth = (proxy: ProxyProcess) =>
  Effect.gen(function* () {
    const found = new Map<number | undefined, RawClient>()
    while (found.size < 2) {
      const { client, worker } = yield* connection(proxy)
      found.set(worker, client)
    }
    return found
  })

/** What passes on all bytes to a port, which is told later. */
const relay = Effect.gen(function* () {
  const target = { port: 0 }
  const server = createServer((client) => {
    const onward = connect(target.port, "127.0.0.1")
    client.pipe(onward).pipe(client)
    for (const socket of [client, onward]) socket.on("error", () => {})
  })
  yield* Effect.addFinalizer(() => Effect.sync(() => server.close()))
  const port = yield* listening(server)
  return { port, target }
})

const startWithLoop = (others: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function* () {
    const origin = yield* RawOrigin.start(answering(answer("200 OK", "hello")))
    const { port, target } = yield* relay
    const sessions = { app: origin.url, loop: `http://127.0.0.1:${port}/loop`, ...others }
    const proxy = yield* ProxyProcess.start(sessions, withWorkers)
    target.port = portOf(proxy)
    return proxy
  })

describe("ss-proxy run --workers 2", () => {
  it.scoped("loses the connections of a worker that dies, and no other; is reloaded; and stops as one", () =>
    Effect.gen(function* () {
      const proxy = yield* startWithLoop()
      const both = yield* connectionsToBoth(proxy)
      const [killed = 0] = childrenOf(proxy.pid)
      process.kill(killed, "SIGKILL")
      yield* proxy.says("was ended by SIGKILL; another one takes its place")
      const dead = Number(/worker (\d) was ended by SIGKILL/.exec(proxy.said)?.[1])
      yield* both.get(dead)?.gone ?? Effect.die("no connection to it")
      const other = both.get(3 - dead) ?? (yield* Effect.die("no connection to the other one"))
      assert.strictEqual((yield* other.ask(get("/app/"))).status, 200)

      const loops = yield* RawClient.connect(portOf(proxy))
      assert.strictEqual((yield* loops.ask(get("/loop/"))).status, 508)

      yield* Effect.sync(() => process.kill(proxy.pid, "SIGHUP"))
      yield* proxy.says("reloaded: 2 new workers")
      const last = yield* other.ask(get("/app/"))
      assert.deepEqual(last.values("connection"), ["close"])
      yield* connection(proxy)

      yield* proxy.signal("SIGTERM")
      assert.strictEqual(yield* proxy.ended, 0)
      assert.strictEqual(proxy.said.split("with 2 workers").length, 2)
      assert.strictEqual(proxy.said.split("stopped").length, 2)
    }),
  )

  it.scoped("serves who connects while no worker lives", () =>
    Effect.gen(function* () {
      const proxy = yield* startWithLoop()
      for (const worker of childrenOf(proxy.pid)) process.kill(worker, "SIGKILL")
      yield* connection(proxy)
    }),
  )

  it.scopedLive(
    "replaces a worker that is stopped; and takes no connection while it stops itself",
    () =>
      Effect.gen(function* () {
        const origin = yield* RawOrigin.start(silent)
        const proxy = yield* startWithLoop({ slow: origin.url })
        const both = yield* connectionsToBoth(proxy)
        const [stopped = 0] = childrenOf(proxy.pid)
        process.kill(stopped, "SIGSTOP")
        const isReplaced = Effect.sync(() => proxy.said.includes("was ended by SIGKILL; another one takes its place"))
        yield* Effect.repeat(Effect.delay(isReplaced, 50), { until: (replaced) => replaced })
        const dead = Number(/worker (\d) is stuck: it is killed/.exec(proxy.said)?.[1])
        yield* both.get(dead)?.gone ?? Effect.die("no connection to it")
        const other = both.get(3 - dead) ?? (yield* Effect.die("no connection to the other one"))
        assert.strictEqual((yield* other.ask(get("/app/"))).status, 200)
        yield* connectionsToBoth(proxy)

        yield* other.send(get("/slow/"))
        const at = yield* origin.connection()
        yield* at.request
        yield* proxy.signal("SIGTERM")
        yield* eventually(
          Effect.map(Effect.exit(Effect.scoped(RawClient.connect(portOf(proxy)))), Exit.isFailure),
          "a port that is closed",
        )
        yield* at.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        assert.strictEqual((yield* other.response()).status, 200)
        assert.strictEqual(yield* proxy.ended, 0)
      }),
    60_000,
  )

  it.scoped("finishes what is under way when its supervisor is killed, and leaves no process", () =>
    Effect.gen(function* () {
      const origin = yield* RawOrigin.start(silent)
      const proxy = yield* ProxyProcess.start({ app: origin.url }, withWorkers)
      const client = yield* RawClient.connect(portOf(proxy))
      yield* client.send(get("/app/"))
      const at = yield* origin.connection()
      yield* at.request
      yield* proxy.signal("SIGKILL")
      yield* proxy.says("draining: 1 request")
      yield* at.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
      assert.strictEqual((yield* client.response()).status, 200)
      // Its standard error is closed when the last of its processes has ended.
      assert.strictEqual(yield* proxy.ended, "SIGKILL")
    }),
  )

  it("says once what no worker can do, and that the port is in use", async () => {
    const folder = folderOfTest()
    const run = (...args: ReadonlyArray<string>) =>
      runProgram(["run", "--workers", "2", "--host", "127.0.0.1", "-d", `${folder}/s.db`, ...args])
    const noLog = await run("--port", "0", "--access-log", `${folder}/none/access.log`)
    expect(noLog).toMatchObject({ code: 1, stdout: "" })
    expect(noLog.stderr).toMatch(/^ss-proxy: the access log .* cannot be opened: ENOENT; make its folder first\n$/)
    const taken = await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const server = createServer()
          yield* Effect.addFinalizer(() => Effect.sync(() => server.close()))
          const port = yield* listening(server)
          return yield* Effect.promise(() => run("--port", String(port)))
        }),
      ),
    )
    expect(taken).toMatchObject({ code: 1, stdout: "" })
    expect(taken.stderr).toMatch(/^ss-proxy: cannot listen on 127.0.0.1:\d+: the port is in use; .*\n$/)
  })
})
