import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import Sqlite from "better-sqlite3"
import { chmodSync, existsSync, readdirSync, writeFileSync } from "node:fs"
import { once } from "node:events"
import { dirname, join } from "node:path"
import { databaseChecks } from "../../src/cli/check/DatabaseChecks.js"
import { sqliteAt } from "../../src/cli/Database.js"
import { type Finding, findingLines } from "../../src/cli/check/Finding.js"
import { fileChecks, portChecks, socketCheck, tokenChecks } from "../../src/cli/check/MachineChecks.js"
import { nameChecks } from "../../src/cli/check/NameChecks.js"
import { proxyFindings, type RunningProxy } from "../../src/cli/check/RunningProxies.js"
import { dialServers, serverFindings } from "../../src/cli/check/ServerChecks.js"
import { storedChecks } from "../../src/cli/check/StoredChecks.js"
import { plainStyle } from "../../src/cli/Style.js"
import { defaultSettings } from "../../src/domain/ProxyConfig.js"
import { SessionRepo } from "../../src/sessions/SessionRepo.js"
import { layerSqlite } from "../../src/sessions/sqlite/SqliteSessionRepo.js"
import { temporaryFile, temporaryFolder } from "../sessions/temporary.js"
import { Authority } from "../support/Certificates.js"
import { describeUnless, lacking } from "../support/LeftOut.js"
import { unusedPort } from "../support/Listening.js"
import { RawOrigin, silent } from "../support/RawOrigin.js"
import { TlsOrigin } from "../support/TlsOrigin.js"
import { json, onDatabase, runProgram, start } from "./Program.js"
import { onTestFinished } from "vitest"

const settings = { ...defaultSettings, host: "127.0.0.1" }

/** A database with sessions of these URLs. */
const databaseWith = (urls: Readonly<Record<string, string>>, status = "active") =>
  Effect.gen(function* () {
    const filename = yield* temporaryFile("sessions.db")
    yield* Effect.provide(
      Effect.flatMap(SessionRepo, (repo) =>
        Effect.forEach(Object.entries(urls), ([id, url]) => repo.put({ id, url, status })),
      ),
      layerSqlite({ filename }),
    )
    return sqliteAt(filename)
  })

const resultsOf = (findings: ReadonlyArray<Finding>) =>
  Object.fromEntries(findings.map(({ check, result }) => [check, result]))

const change = (filename: string, statement: string) => {
  const database = new Sqlite(filename)
  database.exec(statement)
  database.close()
}

describe("the check of names", () => {
  it.scopedLive("says which sessions can have none, and how many", () =>
    Effect.gen(function* () {
      const url = "http://h:1"
      const named = yield* databaseWith({ alice: url, "a-b_c": url })
      assert.deepInclude(yield* nameChecks(named, { idCase: "exact", sessionHosts: ["apps.test"] }), {
        result: "ok",
        todo: null,
      })
      const some = yield* databaseWith({ alice: url, Bob: url, "a.b": url, é: url, ["x".repeat(64)]: url })
      const { message, result } = yield* nameChecks(some, { idCase: "exact", sessionHosts: ["apps.test"] })
      assert.strictEqual(result, "warn")
      assert.strictEqual(message, `4 sessions without a name below apps.test: Bob, a.b, ${"x".repeat(64)}, 1 more`)
      const folded = yield* nameChecks(some, { idCase: "fold", sessionHosts: ["apps.test"] })
      assert.match(folded.message, /^3 sessions without a name below apps.test: a.b, /)
    }),
  )
})

describe("the check of what is stored", () => {
  it.scopedLive("names the sessions whose rows cannot be used, why, and how many there are", () =>
    Effect.gen(function* () {
      const url = "http://h:1"
      const database = yield* databaseWith({ a: url, b: url, c: url, d: url, e: url })
      assert.deepInclude(yield* storedChecks(database), { check: "stored", result: "ok", todo: null })
      change(
        database.filename,
        `UPDATE sessions SET downstream_server_url = 'ftp://h' WHERE session_id IN ('a', 'e');
         UPDATE sessions SET downstream_server_status = 'paused' WHERE session_id = 'e';
         INSERT INTO session_policies (session_id, slash, set_fields) VALUES
           ('b', 'sideways', NULL), ('c', NULL, '{"X-A":"secret"}'), ('d', 'often', NULL)`,
      )
      const { message, result } = yield* storedChecks(database)
      assert.strictEqual(result, "warn")
      assert.match(
        message,
        /^requests get 502 for 4 sessions .*: a \(its scheme is "ftp".*\); b \(its slash is "sideways"/,
      )
      assert.match(message, /; c \(its set_fields were set for another URL.*\); 1 more$/)
      assert.notInclude(message, "secret")
    }),
  )
})

describe("the checks of a database", () => {
  it.scopedLive("find nothing wrong with one that a proxy has made", () =>
    Effect.gen(function* () {
      const findings = yield* databaseChecks(yield* databaseWith({ a: "http://h:1", b: "http://h:2" }))
      assert.deepInclude(resultsOf(findings), { database: "ok", writing: "ok", journal: "ok", clock: "ok" })
      assert.match(findings[0]?.message ?? "", /: 2 sessions, 2 of a status that forwards$/)
    }),
  )

  it.scopedLive("say how to make one that is missing, and make none", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile("none.db")
      const [finding, ...more] = yield* databaseChecks(sqliteAt(filename))
      assert.deepStrictEqual([finding?.result, more], ["fail", []])
      assert.include(finding?.todo, "sessions add my-session http://localhost:9000 ")
      assert.isFalse(existsSync(filename))
    }),
  )

  it.scopedLive("find a file that is none, a lock, another journal, and rows from the future", () =>
    Effect.gen(function* () {
      const { filename } = yield* databaseWith({ a: "http://h:1" })
      change(filename, "PRAGMA journal_mode=DELETE; UPDATE sessions SET updated_at = datetime('now', '+3 days')")
      const found = yield* databaseChecks(sqliteAt(filename))
      assert.deepInclude(resultsOf(found), { journal: "warn", clock: "warn", writing: "ok" })
      assert.include(found.find(({ check }) => check === "clock")?.message, "2 days behind the newest row")

      const holder = yield* Effect.acquireRelease(
        Effect.sync(() => new Sqlite(filename)),
        (database) => Effect.sync(() => database.close()),
      )
      holder.pragma("journal_mode=WAL")
      holder.exec("BEGIN IMMEDIATE")
      const locked = yield* databaseChecks(sqliteAt(filename))
      assert.deepInclude(resultsOf(locked), { database: "ok", writing: "fail" })
      assert.include(locked.find(({ check }) => check === "writing")?.todo, "fuser FILE")

      const garbage = join(dirname(filename), "garbage.db")
      writeFileSync(garbage, "no database, though long enough to be one\n".repeat(50))
      assert.deepStrictEqual(resultsOf(yield* databaseChecks(sqliteAt(garbage))), { database: "fail" })
    }),
  )
})

const running = (port: number): RunningProxy => ({
  pid: process.pid,
  role: "proxy",
  worker: null,
  version: "0",
  uptimeSeconds: 1,
  draining: false,
  settings: new Map([["port", String(port)]]),
})

describe("the checks of a machine", () => {
  it("say which process of a proxy it is that they tell of", () => {
    const processes = [
      { ...running(0), pid: 7, role: "supervisor" as const },
      { ...running(0), pid: 8, role: "worker" as const, worker: "1.2", draining: true },
    ]
    const messages = proxyFindings(processes).map(({ message }) => message)
    assert.match(messages[0] ?? "", /^the supervisor, process 7, runs on this database for 1 s/)
    assert.strictEqual(messages[1], "worker 1.2, process 8, runs on this database for 1 s, and is about to stop")
  })

  it.scopedLive("tell a port that a proxy of ours holds from one that somebody else does", () =>
    Effect.gen(function* () {
      const port = yield* Effect.map(RawOrigin.start(silent), (origin) => origin.port)
      const check = (proxies: ReadonlyArray<RunningProxy>) => portChecks({ ...settings, port }, proxies)
      const [strange] = yield* check([])
      assert.strictEqual(strange?.result, "fail")
      assert.include(strange?.message, "the port is in use")
      const [own] = yield* check([running(port)])
      assert.strictEqual(own?.result, "ok")
      assert.include(own?.message, `held by the proxy that runs on this database, process ${process.pid}`)
      assert.deepInclude((yield* portChecks({ ...settings, port: 0 }, []))[0], { result: "ok" })
    }),
  )

  it.scopedLive("look at the file of tokens, and who may read it", () =>
    Effect.gen(function* () {
      const adminTokenFile = yield* temporaryFile("tokens")
      const check = () => tokenChecks({ ...settings, adminPort: 0, adminTokenFile }).map(({ result }) => result)
      assert.deepStrictEqual(check(), ["fail"])
      writeFileSync(adminTokenFile, "short\n")
      assert.deepStrictEqual(check(), ["fail"])
      writeFileSync(adminTokenFile, "read 0123456789abcdef\n")
      chmodSync(adminTokenFile, 0o640)
      assert.deepStrictEqual(check(), ["warn"])
      chmodSync(adminTokenFile, 0o600)
      assert.deepStrictEqual(check(), ["ok"])
      const open = tokenChecks({ ...settings, adminPort: 0, adminHost: "0.0.0.0", adminTokenFile })
      assert.deepStrictEqual(
        open.map(({ result }) => result),
        ["warn", "ok"],
      )
    }),
  )

  it.scopedLive("look at the place of the admin socket, and at file descriptors", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const check = (adminSocket: string, filename = join(folder, "sessions.db")) =>
        socketCheck({ ...settings, adminSocket }, sqliteAt(filename), []).result
      assert.strictEqual(check("auto"), "ok")
      assert.strictEqual(check("off"), "ok")
      assert.strictEqual(check("auto", join(folder, "x".repeat(100))), "warn")
      assert.strictEqual(check(join(folder, "x".repeat(100))), "fail")
      assert.strictEqual(check(join(folder, "missing", "admin.sock")), "fail")
      const [few] = fileChecks({ ...settings, maxConnections: 10_000_000 }, [])
      assert.include(["warn", "ok"], few?.result)
    }),
  )
})

const noLog = Effect.provide(Logger.remove(Logger.defaultLogger))

describeUnless(lacking("openssl"))("the checks of servers", () => {
  it.scopedLive("connect to each as a request would, and tell certificates that end soon", () =>
    Effect.gen(function* () {
      const authority = yield* Authority.make()
      const origin = yield* TlsOrigin.start(yield* authority.issue())
      const plain = yield* RawOrigin.start(silent)
      const port = yield* unusedPort
      const database = yield* databaseWith({
        tls: origin.url(),
        plain: plain.url,
        closed: `http://127.0.0.1:${port}`,
        denied: "http://169.254.169.254",
      })
      const trusting = { ...settings, downstreamCa: authority.cert }
      const servers = yield* dialServers(Infinity, database, trusting, undefined).pipe(noLog)
      const problems = Object.fromEntries(servers.map(({ problem, session }) => [session, problem]))
      assert.deepStrictEqual(problems, {
        tls: null,
        plain: null,
        closed: "downstream_unreachable (refused)",
        denied: "downstream_unreachable (denied)",
      })
      const days = servers.find(({ session }) => session === "tls")?.certificate_days ?? -1
      assert.isAtLeast(days, 0)
      const [ok, fail] = serverFindings(servers)
      assert.strictEqual(ok?.message, "2 of 4 that were tried take connections")
      assert.include(fail?.message, `closed (127.0.0.1:${port}): downstream_unreachable (refused)`)
      const ending = serverFindings([
        { session: "a", server: "a:1", problem: null, milliseconds: 1, certificate_days: 3 },
      ])
      assert.deepStrictEqual(
        ending.map(({ result }) => result),
        ["ok", "warn"],
      )
      const untrusting = yield* dialServers(Infinity, database, settings, undefined).pipe(noLog)
      assert.strictEqual(
        untrusting.find(({ session }) => session === "tls")?.problem,
        "downstream_unreachable (certificate)",
      )
    }),
  )

  it.scopedLive("take as many as are wanted, and none that does not forward", () =>
    Effect.gen(function* () {
      const origin = yield* RawOrigin.start(silent)
      const many = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`s${index}`, origin.url]))
      const some = yield* dialServers(5, yield* databaseWith(many), settings, undefined).pipe(noLog)
      assert.strictEqual(new Set(some.map(({ session }) => session)).size, 5)
      const paused = yield* databaseWith(many, "paused")
      assert.deepStrictEqual(yield* dialServers(5, paused, settings, undefined).pipe(noLog), [])
    }),
  )
})

describe("findings", () => {
  it("are a line each, and what to do below", () => {
    const finding: Finding = { check: "port", result: "warn", message: "odd", todo: "look" }
    assert.strictEqual(findingLines(finding, plainStyle), `warn  port           odd\n${" ".repeat(21)}-> look`)
  })
})

describe("ss-proxy check", () => {
  it("exits with 0 beside a proxy that runs, whose port is held by it, and with 1 where a server is not there", async () => {
    const { folder, sessions } = onDatabase()
    const db = join(folder, "sessions.db")
    const port = String(await Effect.runPromise(unusedPort))
    await sessions("add", "a", `http://127.0.0.1:${port}`)
    const where = ["-d", db, "--host", "127.0.0.1", "--port", port]
    const alone = await runProgram(["check", ...where])
    assert.strictEqual(alone.code, 1)
    assert.match(
      alone.stdout,
      /^fail {2}servers +1 of 1 cannot be reached: a \(127\.0\.0\.1:\d+\): .*refused.*\n +-> start/m,
    )
    assert.strictEqual(alone.stderr, "ss-proxy: one check failed; the lines say what to do\n")
    assert.deepStrictEqual(readdirSync(folder), ["sessions.db"])

    const child = start(["run", ...where])
    onTestFinished(() => void child.kill("SIGKILL"))
    for (let log = ""; !log.includes("listening on");) log += String((await once(child.stderr, "data"))[0])
    const beside = await runProgram(["check", ...where, "--downstreams", "0", "--json"])
    assert.strictEqual(beside.code, 0)
    const { checks, result } = json(beside) as { checks: ReadonlyArray<Finding>; result: string }
    assert.include(["ok", "warn"], result)
    const message = (name: string) => checks.find(({ check }) => check === name)?.message
    assert.include(message("port"), `is held by the proxy that runs on this database, process ${child.pid}`)
    assert.include(message("proxy"), `process ${child.pid} runs on this database`)
    assert.match(message("open files") ?? "", /^process \d+ has \d+ of \d+ file descriptors open$/)
    assert.strictEqual((await runProgram(["check", "--downstreams", "some"])).code, 2)
  })
})
