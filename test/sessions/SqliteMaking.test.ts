import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Context, Effect, Layer } from "effect"
import { SessionRepo } from "../../src/sessions/SessionRepo.js"
import { layerSqlite } from "../../src/sessions/sqlite/SqliteSessionRepo.js"
import { temporaryFile } from "./temporary.js"

/** Opens a file as the commands `add` and `import` do: it counts as unfinished until the scope closes. */
const fill = (filename: string) =>
  Effect.map(Layer.build(layerSqlite({ filename, marksMaking: true })), Context.get(SessionRepo))

const columnOf = (filename: string, query: string): ReadonlyArray<unknown> => {
  const database = new Sqlite(filename, { readonly: true })
  try {
    return database.prepare(query).pluck().all()
  } finally {
    database.close()
  }
}

const marks = (filename: string) =>
  columnOf(filename, "SELECT name FROM sqlite_master WHERE name = 'ss_proxy_making'").length

describe("a file that several commands make at the same time", () => {
  it.scopedLive("has the sessions of all, whichever of their statements runs first", () =>
    Effect.gen(function* () {
      const ids = ["a", "b", "c"]
      // Each begins so many turns after the one before: each number gives another order of their statements.
      for (let later = 0; later < 120; later += 2) {
        const filename = yield* temporaryFile("sessions.db")
        const add = (id: string, at: number) =>
          Effect.repeatN(Effect.yieldNow(), at * later).pipe(
            Effect.zipRight(fill(filename)),
            Effect.flatMap((repo) => repo.add({ id, url: "http://localhost:1", status: "active" })),
            Effect.scoped,
            Effect.withMaxOpsBeforeYield(30),
          )
        yield* Effect.forEach(ids, add, { concurrency: "unbounded" })
        expect(columnOf(filename, "SELECT session_id FROM sessions ORDER BY session_id")).toEqual(ids)
        expect(marks(filename)).toBe(0)
      }
    }),
  )

  it.scopedLive("counts as made when the last of them has ended", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile("sessions.db")
      yield* Effect.gen(function* () {
        yield* fill(filename)
        yield* Effect.scoped(fill(filename))
        expect(marks(filename)).toBe(1)
      }).pipe(Effect.scoped)
      expect(marks(filename)).toBe(0)
    }),
  )
})
