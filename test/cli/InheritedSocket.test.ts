import { afterEach, assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { join } from "node:path"
import { inheritedSocket } from "../../src/cli/run/InheritedSocket.js"
import { defaultSettings } from "../../src/domain/ProxyConfig.js"
import { temporaryFolder } from "../sessions/temporary.js"
import { Changes, eventually } from "../support/Changes.js"
import { request } from "../support/HttpText.js"
import { describeUnless, lacking } from "../support/LeftOut.js"
import { unusedPort } from "../support/Listening.js"
import { RawClient } from "../support/RawClient.js"
import { runTool, startTool } from "../support/Tool.js"
import { binary } from "../support/BuiltProgram.js"

const names = ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"]

afterEach(() => {
  for (const name of names) delete process.env[name]
})

/** What is made of these variables, with what was logged. */
const asked = (variables: Readonly<Record<string, string>>, settings: Partial<typeof defaultSettings> = {}) =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    Object.assign(process.env, variables)
    const logInto = Logger.replace(
      Logger.defaultLogger,
      Logger.map(Logger.logfmtLogger, (line) => void lines.push(line)),
    )
    const result = yield* Effect.either(inheritedSocket({ ...defaultSettings, ...settings })).pipe(
      Effect.provide(logInto),
    )
    for (const name of names) assert.isUndefined(process.env[name])
    return { result, log: lines.join("\n") }
  })

const ours = String(process.pid)

describe("a socket that is handed over", () => {
  it.effect("is the one that LISTEN_FDS tells this process of, and what it starts is told nothing", () =>
    Effect.gen(function* () {
      const { log, result } = yield* asked({ LISTEN_FDS: "1", LISTEN_PID: ours, LISTEN_FDNAMES: "http" })
      assert.deepStrictEqual(result, yield* Effect.either(Effect.succeed({ _tag: "Inherited", fd: 3 } as const)))
      assert.strictEqual(log, "")
    }),
  )

  it.effect("decides where to listen, which is said where the settings name another place", () =>
    Effect.gen(function* () {
      const { log } = yield* asked({ LISTEN_FDS: "1", LISTEN_PID: ours }, { port: 9_000 })
      assert.include(log, "--host and --port are ignored")
    }),
  )

  it.effect("does not count where it is for another process, or where there is none", () =>
    Effect.gen(function* () {
      const other = yield* asked({ LISTEN_FDS: "1", LISTEN_PID: "1" })
      assert.include(JSON.stringify(other.result), '"_tag":"Address"')
      assert.include(other.log, "LISTEN_FDS is for another process")
      for (const variables of [{}, { LISTEN_FDS: "0", LISTEN_PID: ours }])
        assert.include(JSON.stringify((yield* asked(variables)).result), '"_tag":"Address"')
    }),
  )

  it.effect("must be the only one", () =>
    Effect.gen(function* () {
      const { result } = yield* asked({ LISTEN_FDS: "2", LISTEN_PID: ours, LISTEN_FDNAMES: "http:other" })
      assert.include(JSON.stringify(result), "cannot use 2 sockets that were passed in (LISTEN_FDS: http:other)")
    }),
  )
})

/** The program, started by systemd's own tool as its socket unit would, when somebody connects. */
const activated = (listen: ReadonlyArray<string>) =>
  Effect.map(temporaryFolder, (folder) => [
    ...listen,
    process.execPath,
    binary,
    "run",
    "--db-path",
    join(folder, "sessions.db"),
  ])

describeUnless(lacking("systemd-socket-activate"))("ss-proxy run below a socket unit", () => {
  it.scopedLive.each([
    ["", []],
    [", which its workers share", ["--workers", "2"]],
  ] as const)("answers the connection that it was started for, and says where it listens%s", ([, flags]) =>
    Effect.gen(function* () {
      const port = yield* unusedPort
      const words = yield* activated(["-l", `127.0.0.1:${port}`])
      const child = yield* startTool("systemd-socket-activate", [...words, ...flags])
      const changes = new Changes()
      let log = ""
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        log += text
        changes.announce()
      })
      const ended = new Promise<number | null>((resolve) => child.once("close", resolve))
      yield* changes.until(
        "the tool to listen",
        () => log.includes("Listening on"),
        () => log,
      )
      const client = yield* RawClient.connect(port)
      yield* client.send(request("GET /health"))
      // It starts now, for as long as that takes.
      yield* changes.when(() => log.includes(`listening on http://127.0.0.1:${port}`))
      assert.strictEqual((yield* client.response()).status, 200)
      yield* client.finish
      child.kill("SIGTERM")
      assert.strictEqual(yield* Effect.promise(() => ended), 0)
    }),
  )

  it.scopedLive("says of a socket that is no TCP socket which it wants", () =>
    Effect.gen(function* () {
      const path = join(yield* temporaryFolder, "socket")
      const words = yield* activated(["-l", path])
      const run = yield* Effect.fork(runTool("systemd-socket-activate", words))
      yield* eventually(
        Effect.isSuccess(Effect.scoped(Effect.catchAllCause(RawClient.connectToPath(path), Effect.fail))),
        "the tool to listen",
      )
      const { code, stderr } = yield* run
      assert.strictEqual(code, 1)
      assert.match(stderr, /cannot listen on the socket that was passed in \(descriptor 3\): it is no TCP socket; /)
    }),
  )
})
