import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { existsSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { AdminSocketBeside } from "../../src/admin/AdminSocket.js"
import { socketsBeside } from "../../src/admin/SocketPlaces.js"
import { temporaryFolder } from "../sessions/temporary.js"
import { eventually } from "../support/Changes.js"
import { bareRequest, request } from "../support/HttpText.js"
import { RawClient } from "../support/RawClient.js"
import { startProxy } from "../support/TestProxy.js"

const modeOf = (path: string): string => (lstatSync(path).mode & 0o777).toString(8)

/** A proxy with a socket beside `sessions.db` of this folder. */
const startBeside = (folder: string) =>
  startProxy({ hooks: Layer.succeed(AdminSocketBeside, join(folder, "sessions.db")) })

/** A socket that nobody answers on, as a process leaves that is killed. */
const leaveSocket = (path: string): void => {
  const script = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`
  spawnSync(process.execPath, ["-e", script])
  if (!existsSync(path)) throw new Error("no socket was left")
}

const askAt = (path: string, ...pieces: ReadonlyArray<string>) =>
  Effect.flatMap(RawClient.connectToPath(path), (client) => client.ask(...pieces))

describe("the admin socket", () => {
  it.scopedLive("is the user's alone, answers whatever name it is asked under, and is gone with the proxy", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const before = process.umask()
      const path = yield* Effect.scoped(
        Effect.gen(function* () {
          const { adminSocket = "" } = yield* startBeside(folder)
          assert.match(adminSocket, /\/sessions\.db\.[0-9a-f]{6}\.sock$/)
          assert.strictEqual(modeOf(adminSocket), "600")
          assert.deepStrictEqual(socketsBeside(join(folder, "sessions.db")), [adminSocket])
          const answer = yield* askAt(adminSocket, bareRequest("GET /livez", ["Host: evil.example"]))
          assert.deepStrictEqual([answer.status, answer.text], [200, "ok\n"])
          const scraped = yield* askAt(adminSocket, request("GET /metrics"))
          assert.include(scraped.text, "ss_proxy_build_info")
          return adminSocket
        }),
      )
      assert.isFalse(existsSync(path))
      assert.strictEqual(process.umask(), before)
    }),
  )

  it.scopedLive(
    "is where it is asked for, for a group as well, and takes the place of one that nobody answers on",
    () =>
      Effect.gen(function* () {
        const path = join(yield* temporaryFolder, "admin.sock")
        leaveSocket(path)
        const settings = { adminSocket: path, adminSocketMode: 0o660 }
        const proxy = yield* startProxy({ settings })
        assert.strictEqual(proxy.adminSocket, path)
        assert.strictEqual(modeOf(path), "660")
        const second = yield* Effect.flip(startProxy({ settings }))
        assert.include(second.message, "another process listens there")
        assert.strictEqual((yield* askAt(path, request("GET /livez"))).status, 200)
      }),
  )

  it.scopedLive("fails where it is asked for and cannot be", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      writeFileSync(join(folder, "file"), "mine")
      const cases: ReadonlyArray<readonly [path: string, problem: string]> = [
        [join(folder, "none", "admin.sock"), "there is no such folder, or it may not be written"],
        [join(folder, "file"), "something is there already"],
        [join(folder, "x".repeat(120)), "the path has more than 100 bytes"],
      ]
      for (const [adminSocket, problem] of cases) {
        const error = yield* Effect.flip(startProxy({ settings: { adminSocket } }))
        assert.strictEqual(error._tag, "AdminSocketError")
        assert.include(error.message, problem)
      }
      assert.deepStrictEqual(readdirSync(folder), ["file"])
    }),
  )

  it.scopedLive("is done without where it is nobody's wish, with one line that says why", () =>
    Effect.gen(function* () {
      const folder = join(yield* temporaryFolder, "x".repeat(90))
      mkdirSync(folder)
      const proxy = yield* startBeside(folder)
      assert.isUndefined(proxy.adminSocket)
      assert.lengthOf(proxy.log, 1)
      assert.include(proxy.log.join(), "there is no admin socket")
      const off = yield* startProxy({ settings: { adminSocket: "off" } })
      assert.isUndefined(off.adminSocket)
    }),
  )

  it.scopedLive("removes what others of its kind have left, and nothing that is in use or is none of them", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const path = (name: string) => join(folder, name)
      for (const name of ["sessions.db.aaaaaa.sock", "other.db.aaaaaa.sock", "sessions.db.mine.sock"])
        leaveSocket(path(name))
      writeFileSync(path("sessions.db.bbbbbb.sock"), "a file")
      const inUse = path("sessions.db.cccccc.sock")
      yield* Effect.acquireRelease(
        Effect.async<ReturnType<typeof createServer>>((resume) => {
          const server = createServer((socket) => socket.destroy())
          server.listen(inUse, () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => server.close()),
      )
      const { adminSocket = "" } = yield* startBeside(folder)
      yield* eventually(
        Effect.sync(() => !existsSync(path("sessions.db.aaaaaa.sock"))),
        "the socket that nobody answers on to be removed",
      )
      const left = [
        "other.db.aaaaaa.sock",
        "sessions.db.mine.sock",
        "sessions.db.bbbbbb.sock",
        "sessions.db.cccccc.sock",
      ]
      for (const name of left) assert.isTrue(existsSync(path(name)), name)
      assert.isTrue(existsSync(adminSocket))
    }),
  )
})
