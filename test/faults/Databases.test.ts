import Sqlite from "better-sqlite3"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { existsSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { binary } from "../support/BuiltProgram.js"
import { temporaryFile, temporaryFolder } from "../sessions/temporary.js"
import { eventually } from "../support/Changes.js"
import { request } from "../support/HttpText.js"
import { ProxyProcess } from "../support/ProxyProcess.js"
import { runTool, startTool } from "../support/Tool.js"
import { clientAt, frame, handshake, startSurvival, Survival, survives } from "./Survival.js"

/** These start many programs, which a busy machine takes its time for. */
const programs = { timeout: 60_000 }

const sessions = (database: string, ...args: ReadonlyArray<string>) =>
  runTool(process.execPath, [binary, "sessions", ...args, "-d", database])

const statusOf = (id: string) =>
  Effect.gen(function* () {
    const client = yield* (yield* Survival).connect
    return (yield* client.ask(request(`GET /${id}/whole`))).status
  }).pipe(Effect.scoped)

/** A WebSocket and a stream of a session, and what says that both are there still. */
const live = Effect.gen(function* () {
  const socket = yield* clientAt("/socket", handshake)
  const stream = yield* clientAt("/mid-stream")
  const goOn = (word: string) =>
    Effect.gen(function* () {
      yield* socket.send(frame(word))
      yield* socket.seen(word)
      assert.isTrue(stream.isOpen)
    })
  return { goOn }
})

/** Does something to the database of a running proxy, which has to survive it. */
const struck = <A, E>(fault: (database: string) => Effect.Effect<A, E, Survival>) =>
  Effect.gen(function* () {
    const survival = yield* startSurvival()
    yield* Effect.provideService(survives(fault(survival.proxy.database)), Survival, survival)
  })

/** Asks for both sessions until the result is called, and gives every status that there was. */
const watch = Effect.gen(function* () {
  const seen = new Set<number>()
  const look = Effect.forEach(["struck", "steady"], (id) => Effect.map(statusOf(id), (status) => seen.add(status)))
  yield* Effect.forkScoped(Effect.forever(Effect.zipRight(look, Effect.sleep(5))))
  return seen
})

describe("the database of a running proxy", programs, () => {
  it.scopedLive.each(["at once", "when the proxy has noticed"])(
    "that is removed, and imported again %s, ends nothing that is live, and no session is missed for a moment",
    (when) =>
      struck((database) =>
        Effect.gen(function* () {
          const { proxy } = yield* Survival
          const { goOn } = yield* live
          const backup = join(dirname(database), "backup.json")
          assert.strictEqual((yield* sessions(database, "export", "-o", backup)).code, 0)
          const seen = yield* watch
          rmSync(database)
          if (when !== "at once") yield* proxy.says("is gone: all requests are answered with 503")
          const { code, stdout, stderr } = yield* sessions(database, "import", backup)
          assert.deepStrictEqual([code, stdout, stderr], [0, "imported 2 sessions\n", ""])
          yield* proxy.says("is back: requests are forwarded again")
          yield* eventually(
            Effect.map(statusOf("struck"), (status) => status === 200),
            "an answer",
          )
          yield* goOn("and back")
          assert.deepStrictEqual(
            [...seen].filter((status) => status !== 200 && status !== 503),
            [],
          )
        }).pipe(Effect.scoped),
      ),
  )

  it.scopedLive("that is removed, and imported again in many batches, is taken when it is whole", () =>
    struck((database) =>
      Effect.gen(function* () {
        const { proxy } = yield* Survival
        const { goOn } = yield* live
        const backup = join(dirname(database), "backup.ndjson")
        const more = Array.from({ length: 3_000 }, (_, index) => `{"id":"a${index}","url":"http://localhost:1"}\n`)
        const exported = yield* sessions(database, "export", "--format", "ndjson")
        // The live ones are in the last batch.
        writeFileSync(backup, more.join("") + exported.stdout)
        const seen = yield* watch
        rmSync(database)
        yield* proxy.says("is gone: all requests are answered with 503")
        assert.strictEqual((yield* sessions(database, "import", backup)).code, 0)
        yield* proxy.says("is back: requests are forwarded again")
        yield* goOn("and back")
        assert.isFalse(seen.has(404))
      }).pipe(Effect.scoped),
    ),
  )

  it.scopedLive("that is locked by another program is answered from, in a WAL and without one", () =>
    struck((database) =>
      Effect.gen(function* () {
        const { goOn } = yield* live
        const other = new Sqlite(database)
        for (const statement of ["BEGIN EXCLUSIVE", "BEGIN IMMEDIATE"]) {
          other.exec(statement)
          assert.strictEqual(yield* statusOf("struck"), 200)
          yield* goOn(statement)
          other.exec("ROLLBACK")
        }
        other.close()
      }).pipe(Effect.scoped),
    ),
  )

  it.scopedLive("that is replaced by a copy is followed: nothing that is live ends, and changes are in force", () =>
    struck((database) =>
      Effect.gen(function* () {
        const { goOn } = yield* live
        const other = new Sqlite(database)
        other.exec(`VACUUM INTO '${database}.new'`)
        other.close()
        const copy = new Sqlite(`${database}.new`)
        copy.exec("UPDATE sessions SET downstream_server_status = 'paused' WHERE session_id = 'steady'")
        copy.close()
        renameSync(`${database}.new`, database)
        yield* eventually(
          Effect.map(statusOf("steady"), (status) => status === 503),
          "the copy",
        )
        yield* goOn("the same session")
        assert.strictEqual((yield* sessions(database, "set", "steady", "--status", "active")).code, 0)
      }).pipe(Effect.scoped),
    ),
  )
})

describe("a file that several programs make at the same time", programs, () => {
  it.scopedLive("has all that they have put into it: two proxies, and two commands", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const database = join(folder, "sessions.db")
      const ids = ["a", "b"]
      const [proxies, outcomes] = yield* Effect.all(
        [
          Effect.all([ProxyProcess.startWith({ folder }), ProxyProcess.startWith({ folder })], { concurrency: 2 }),
          Effect.all(
            ids.map((id) => sessions(database, "add", id, "http://localhost:1")),
            { concurrency: 2 },
          ),
        ],
        { concurrency: 2 },
      )
      for (const { code, stderr } of outcomes) assert.deepStrictEqual([code, stderr], [0, ""])
      const db = new Sqlite(database)
      const tables = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").pluck().all()
      const stored = db.prepare("SELECT session_id FROM sessions ORDER BY session_id").pluck().all()
      db.close()
      assert.deepStrictEqual(tables, ["session_control", "session_policies", "sessions", "ss_proxy_migrations"])
      assert.deepStrictEqual(stored, ids)
      for (const proxy of proxies) {
        yield* proxy.signal("SIGTERM")
        assert.strictEqual(yield* proxy.ended, 0, proxy.said)
      }
    }),
  )
})

/** Runs a command, and kills it when a file beside the database shows that it is at work. */
const killedAtWork = (database: string, isAtWork: () => boolean, ...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const child = yield* startTool(process.execPath, [binary, "sessions", ...args, "-d", database])
    const ended = Effect.async<number | string>((resume) => {
      child.once("close", (code, signal) => resume(Effect.succeed(signal ?? code ?? "")))
    })
    const end = yield* Effect.fork(ended)
    yield* Effect.repeat(Effect.sync(isAtWork), { until: (holds) => holds, schedule: Schedule.spaced(1) })
    child.kill("SIGKILL")
    return yield* end
  })

describe("a command that is killed (SIGKILL)", programs, () => {
  it.scopedLive("while it makes a database that a proxy misses leaves no lock: the next import is taken", () =>
    struck((database) =>
      Effect.gen(function* () {
        const { proxy } = yield* Survival
        const { goOn } = yield* live
        const backup = join(dirname(database), "backup.json")
        yield* sessions(database, "export", "-o", backup)
        rmSync(database)
        yield* proxy.says("is gone: all requests are answered with 503")
        const many = join(dirname(database), "many.json")
        const entries = Array.from({ length: 20_000 }, (_, index) => ({ id: `a${index}`, url: "http://localhost:1" }))
        writeFileSync(many, JSON.stringify(entries))
        yield* killedAtWork(database, () => existsSync(`${database}-wal`), "import", many)
        assert.strictEqual((yield* sessions(database, "import", backup, "--replace")).code, 0)
        yield* proxy.says("is back: requests are forwarded again")
        yield* goOn("all the time")
      }).pipe(Effect.scoped),
    ),
  )

  it.scopedLive("anywhere in an add has added it or not; the next commands work, and no mark stays", () =>
    Effect.gen(function* () {
      const database = yield* temporaryFile("sessions.db")
      for (const delay of [150, 250, 300, 350, 400, 500]) {
        const words = ["sessions", "add", `at-${delay}`, "http://localhost:1", "-d", database]
        const child = yield* startTool(process.execPath, [binary, ...words])
        yield* Effect.sleep(delay)
        child.kill("SIGKILL")
      }
      assert.strictEqual((yield* sessions(database, "add", "last", "http://localhost:1")).code, 0)
      const { code, stdout } = yield* sessions(database, "list", "--json")
      assert.strictEqual(code, 0)
      const db = new Sqlite(database)
      assert.strictEqual(db.pragma("integrity_check", { simple: true }), "ok")
      db.close()
      assert.include(stdout, '"last"')
    }),
  )
})
