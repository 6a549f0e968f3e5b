import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { binary } from "../support/BuiltProgram.js"
import { temporaryFolder } from "../sessions/temporary.js"
import { describeUnless } from "../support/LeftOut.js"
import { request } from "../support/HttpText.js"
import { runTool } from "../support/Tool.js"
import { startSurvival, Survival, survives } from "./Survival.js"

/** A file system of its own, of so many bytes. */
const smallDisk = (bytes: number) =>
  Effect.gen(function* () {
    const folder = join(yield* temporaryFolder, "disk")
    mkdirSync(folder)
    return yield* Effect.acquireRelease(
      Effect.sync(() => {
        mount(folder, bytes)
        return folder
      }),
      () => Effect.sync(() => void spawnSync("umount", ["-l", folder])),
    )
  })

const mount = (folder: string, bytes: number) =>
  spawnSync("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", folder]).status

const canMount = (): boolean => {
  const folder = "/mnt"
  if (mount(folder, 65_536) !== 0) return false
  spawnSync("umount", [folder])
  return true
}

/** Takes all the room that is left; gives it back with the result. */
const fill = (folder: string): (() => void) => {
  const file = join(folder, "full")
  let written = ""
  try {
    for (;;) {
      written += "x".repeat(4_096)
      writeFileSync(file, written)
    }
  } catch {
    return () => rmSync(file)
  }
}

/** These start many programs, which a busy machine takes its time for. */
const programs = { timeout: 60_000 }

const sessions = (database: string, ...args: ReadonlyArray<string>) =>
  runTool(process.execPath, [binary, "sessions", ...args, "-d", database])

describeUnless(canMount() ? undefined : "no file system can be mounted")("a disk that is full", programs, () => {
  it.scopedLive("costs lines of the access log and times of activity; requests go on, and all is well again", () =>
    Effect.gen(function* () {
      const folder = yield* smallDisk(1_048_576)
      const log = join(folder, "access.log")
      const survival = yield* startSurvival({ folder, flags: ["--access-log", log, "--activity-interval", "0.1"] })
      const { asksSteady, proxy } = survival
      yield* Effect.gen(function* () {
        const makeRoom = fill(folder)
        for (let count = 0; count < 50; count++) yield* asksSteady
        yield* proxy.says("the disk is full")
        const added = yield* sessions(proxy.database, "add", "new", "http://localhost:1")
        assert.deepStrictEqual([added.code, added.stdout], [1, ""])
        assert.include(added.stderr, "the disk is full")
        makeRoom()
        assert.strictEqual((yield* sessions(proxy.database, "add", "new", "http://localhost:1")).code, 0)
        const before = statSync(log).size
        while (statSync(log).size === before) yield* asksSteady
        assert.match(readFileSync(log, "utf8"), /^(\S.*\n)+$/)
      }).pipe(survives, Effect.provideService(Survival, survival))
    }),
  )

  it.scopedLive("does not keep a proxy from serving what it knows, nor from stopping", () =>
    Effect.gen(function* () {
      const folder = yield* smallDisk(1_048_576)
      const survival = yield* startSurvival({ folder })
      const { asksSteady, connect } = survival
      yield* asksSteady
      fill(folder)
      const client = yield* connect
      // Known already, read for the first time, and not there.
      for (const [target, status] of [
        ["/steady/whole", 200],
        ["/struck/whole", 200],
        ["/nobody/", 404],
      ] as const)
        assert.strictEqual((yield* client.ask(request(`GET ${target}`))).status, status)
    }),
  )
})

/** A file size limit stands for a full disk where nobody may mount one: EFBIG in place of ENOSPC. */
describe("a file that may not grow", programs, () => {
  it.scopedLive("is the access log's, and the proxy says so and serves on", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const log = join(folder, "access.log")
      writeFileSync(log, "x".repeat(1_048_576))
      // Blocks of 1 KiB or 512 bytes, depending on the shell: the log has that size, and the database stays below.
      const survival = yield* startSurvival({
        folder,
        flags: ["--access-log", log],
        within: ["sh", "-c", 'ulimit -f 1024 && exec "$@"', "sh"],
      })
      yield* Effect.gen(function* () {
        const { asksSteady, proxy } = survival
        for (let count = 0; count < 5; count++) yield* asksSteady
        yield* proxy.says("the access log cannot be written; it is tried again every second problem=EFBIG")
        yield* asksSteady
      }).pipe(survives, Effect.provideService(Survival, survival))
    }),
  )
})
