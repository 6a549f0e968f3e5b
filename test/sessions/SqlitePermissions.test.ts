import { beforeAll, describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Context, Effect, Layer } from "effect"
import { chmodSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { SessionRepo } from "../../src/sessions/SessionRepo.js"
import { layerSqlite, type SqliteOptions } from "../../src/sessions/sqlite/SqliteSessionRepo.js"
import { temporaryFile } from "./temporary.js"

// Permissions do not bind root: for good become somebody else. Each test file has a process of its own.
beforeAll(() => {
  if (process.getuid?.() !== 0) return
  // SQLite itself is loaded when it is first needed, and who we become may not be able to read where it is.
  new Sqlite(":memory:").close()
  process.setuid?.(65534)
})

const open = (options: SqliteOptions) => Effect.map(Layer.build(layerSqlite(options)), Context.get(SessionRepo))

/** A database with one session, nobody at it. */
const database = Effect.tap(temporaryFile("sessions.db"), (filename) =>
  Effect.scoped(
    Effect.flatMap(open({ filename }), (repo) => repo.add({ id: "alpha", url: "http://h", status: "active" })),
  ),
)

/** Takes permissions away until the scope ends. */
const permitting = (path: string, mode: number) =>
  Effect.acquireRelease(
    Effect.sync(() => chmodSync(path, mode)),
    () => Effect.sync(() => chmodSync(path, 0o700)),
  )

const permissionHint =
  "Give the proxy's user write permission on the file and on its folder, or name another file with --db-path."

/** The modes of a database and of what SQLite keeps beside it, with one session written. */
const modesOf = (filename: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const repo = yield* open({ filename })
      yield* repo.add({ id: "alpha", url: "http://user:secret@h", status: "active" })
      return ["", "-wal", "-shm"].map((end) => (statSync(`${filename}${end}`).mode & 0o777).toString(8))
    }),
  )

describe("who may read a database", () => {
  it.scopedLive("is its owner alone, where the program makes it, whatever the umask is", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile("sessions.db")
      const before = yield* Effect.sync(() => process.umask(0))
      yield* Effect.addFinalizer(() => Effect.sync(() => process.umask(before)))
      expect(yield* modesOf(filename)).toEqual(["600", "600", "600"])
    }),
  )

  it.scopedLive("is its owner alone where a link leads to where it is made", () =>
    Effect.gen(function* () {
      const link = yield* temporaryFile("sessions.db")
      const filename = join(dirname(link), "elsewhere.db")
      symlinkSync(filename, link)
      yield* Effect.scoped(open({ filename: link }))
      expect((statSync(filename).mode & 0o777).toString(8)).toBe("600")
    }),
  )

  it.scopedLive("stays as it was where the file was there, empty or not", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile("sessions.db")
      writeFileSync(filename, "")
      chmodSync(filename, 0o660)
      expect(yield* modesOf(filename)).toEqual(["660", "660", "660"])
      chmodSync(filename, 0o640)
      yield* Effect.scoped(open({ filename }))
      expect((statSync(filename).mode & 0o777).toString(8)).toBe("640")
    }),
  )
})

describe("permissions", () => {
  it.scopedLive("a read-only file is refused", () =>
    Effect.gen(function* () {
      const filename = yield* database
      yield* permitting(filename, 0o444)
      expect(yield* Effect.flip(open({ filename }))).toMatchObject({
        problem: `${filename} is read-only`,
        hint: permissionHint,
      })
    }),
  )

  it.scopedLive("a read-only folder is refused, with and without a file in it", () =>
    Effect.gen(function* () {
      const [taken, free] = [yield* database, yield* temporaryFile("sessions.db")]
      for (const filename of [taken, free]) {
        yield* permitting(dirname(filename), 0o555)
        expect(yield* Effect.flip(open({ filename }))).toMatchObject({
          problem: `the folder of ${filename} is read-only`,
          hint: permissionHint,
        })
      }
    }),
  )

  it.scopedLive("a file that may be written and not read is refused", () =>
    Effect.gen(function* () {
      const filename = yield* database
      yield* permitting(filename, 0o200)
      expect((yield* Effect.flip(open({ filename }))).problem).toBe(`${filename} cannot be opened`)
    }),
  )

  it.scopedLive("a folder that may not be entered is refused", () =>
    Effect.gen(function* () {
      const filename = yield* database
      yield* permitting(dirname(filename), 0o000)
      const { problem } = yield* Effect.flip(open({ filename }))
      expect(problem).toBe(`${filename} cannot be reached (EACCES)`)
    }),
  )

  it.scopedLive("a read-only file can still be listed", () =>
    Effect.gen(function* () {
      const filename = yield* database
      yield* permitting(filename, 0o444)
      const repo = yield* open({ filename, readonly: true })
      expect((yield* repo.list).map(({ id }) => id)).toEqual(["alpha"])
    }),
  )

  it.scopedLive("a text file that is read-only is not listed", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile("sessions.db")
      writeFileSync(filename, "not a database, though long enough to be one\n".repeat(50), { mode: 0o444 })
      const { problem } = yield* Effect.flip(open({ filename, readonly: true }))
      expect(problem).toBe(`${filename} is not an SQLite database`)
    }),
  )
})
