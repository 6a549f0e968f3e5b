import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Effect, Layer, Option } from "effect"
import type { StoreUnavailable } from "../../src/domain/ProxyError.js"
import { layerMemory } from "../../src/sessions/MemorySessionRepo.js"
import { pageSize, type SessionQuery, SessionRepo, type SessionStep } from "../../src/sessions/SessionRepo.js"
import { layerSqlite } from "../../src/sessions/sqlite/SqliteSessionRepo.js"
import Sqlite from "better-sqlite3"
import { temporaryFile } from "./temporary.js"

const layers: Record<string, Layer.Layer<SessionRepo, StoreUnavailable>> = {
  memory: layerMemory(),
  sqlite: Layer.unwrapScoped(Effect.map(temporaryFile("sessions.db"), (filename) => layerSqlite({ filename }))),
}

const put = (id: string, url = "http://h:1"): SessionStep => ({ _tag: "Put", session: { id, url, status: "active" } })
const remove = (id: string): SessionStep => ({ _tag: "Remove", id })
const nothing = { added: 0, replaced: 0, removed: 0, absent: 0, refused: [] }

const idsOf = (repo: typeof SessionRepo.Service, query: Partial<SessionQuery> = {}, most = Number.POSITIVE_INFINITY) =>
  Effect.gen(function* () {
    const ids: Array<string> = []
    yield* repo.forEachPage({ prefix: "", sort: "id", ...query }, (sessions) =>
      Effect.sync(() => {
        expect(sessions.length).toBeLessThanOrEqual(pageSize)
        ids.push(...sessions.map(({ id }) => id))
        return ids.length < most
      }),
    )
    return ids
  })

describe.each(Object.entries(layers))("many steps by one change (%s)", (_name, layer) => {
  const scenario = (name: string, test: Effect.Effect<unknown, unknown, SessionRepo>) =>
    it.live(name, () => Effect.provide(test, Layer.fresh(layer)))

  scenario(
    "are taken in their order: the last one of an id counts",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      yield* repo.add({ id: "a", url: "h:1", status: "active", policy: { wsPath: "strip" } })
      const steps = [
        put("a", "h:2"),
        put("b"),
        remove("b"),
        remove("c"),
        put("d"),
        put("d", "h:4"),
        remove("a"),
        put("a"),
      ]
      expect(yield* repo.apply(steps, { replace: true, partly: false })).toEqual({
        ...nothing,
        added: 3,
        replaced: 2,
        removed: 2,
        absent: 1,
      })
      expect(yield* idsOf(repo)).toEqual(["a", "d"])
      expect(Option.getOrThrow(yield* repo.find("a")).session).toMatchObject({ policy: { wsPath: null } })
      expect(Option.getOrThrow(yield* repo.find("d")).session).toMatchObject({ url: "h:4" })
    }),
  )

  scenario(
    "are all left out where one is refused, or only that one",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      yield* repo.apply([put("a")], { replace: false, partly: false })
      const steps = [put("b"), put("a", "h:2"), remove("a"), put("a", "h:3"), put("b", "h:4")]
      const version = yield* repo.version()
      expect(yield* repo.apply(steps, { replace: false, partly: false })).toEqual({ ...nothing, refused: [1, 4] })
      expect(yield* idsOf(repo)).toEqual(["a"])
      const applied = yield* repo.apply(steps, { replace: false, partly: true })
      expect(applied).toEqual({ ...nothing, added: 2, removed: 1, refused: [1, 4] })
      expect(yield* repo.version()).not.toBe(version)
      const urls = yield* Effect.map(repo.list, (all) => all.map(({ id, url }) => [id, url]))
      expect(urls).toEqual([
        ["a", "h:3"],
        ["b", "http://h:1"],
      ])
    }),
  )

  scenario(
    "write nothing where one can be no session",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      const bad = repo.apply([put("a"), put("health")], { replace: true, partly: true })
      expect(yield* Effect.flip(bad)).toMatchObject({ _tag: "SessionInvalid", sessionId: "health" })
      expect(yield* idsOf(repo)).toEqual([])
    }),
  )

  scenario(
    "come to what the single changes come to, whatever they are",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      const step = fc.oneof(
        fc
          .tuple(fc.constantFrom("a", "b", "c", "d"), fc.integer({ min: 1, max: 9 }))
          .map(([id, n]) => put(id, `h:${n}`)),
        fc.constantFrom("a", "b", "c", "d").map(remove),
      )
      const rows = new Map(yield* Effect.map(repo.list, (all) => all.map(({ id, url }) => [id, url] as const)))
      for (const [steps, replace] of fc.sample(fc.tuple(fc.array(step, { maxLength: 250 }), fc.boolean()), 60)) {
        const refused: Array<number> = []
        for (const [place, one] of steps.entries()) {
          if (one._tag === "Remove") rows.delete(one.id)
          else if (!replace && rows.has(one.session.id)) refused.push(place)
          else rows.set(one.session.id, one.session.url)
        }
        expect((yield* repo.apply(steps, { replace, partly: true })).refused).toEqual(refused)
        expect(new Map((yield* repo.list).map(({ id, url }) => [id, url]))).toEqual(rows)
      }
    }),
  )

  scenario(
    "are listed page by page, until that is enough",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      const ids = Array.from(
        { length: 1_234 },
        (_, at) => `${at % 2 === 0 ? "even" : "odd"}/${String(at).padStart(4, "0")}`,
      )
      yield* repo.apply(
        ids.map((id) => put(id)),
        { replace: false, partly: false },
      )
      const ordered = ids.toSorted()
      for (const sort of ["id", "created", "updated"] as const) {
        expect((yield* idsOf(repo, { sort })).toSorted()).toEqual(ordered)
        expect((yield* idsOf(repo, { sort, prefix: "odd/" })).toSorted()).toEqual(ordered.slice(617))
        expect(yield* idsOf(repo, { sort, prefix: "odd/1_" })).toEqual([])
        expect((yield* idsOf(repo, { sort }, 1)).length).toBe(pageSize)
      }
      expect(yield* idsOf(repo)).toEqual(ordered)
      expect(yield* idsOf(repo, { prefix: "even/001" })).toEqual(
        ["0", "2", "4", "6", "8"].map((end) => `even/001${end}`),
      )
    }),
  )

  scenario(
    "are listed behind an id, by the bytes of ids, in pages of any size",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      const ids = ["B", "a", "b", "\u{ff5e}", "\u{1f600}"]
      for (const id of ids.toReversed())
        yield* repo.add({ id, url: "h:1", status: "active", policy: { insecure: true } })
      const pages = (query: { readonly prefix?: string; readonly after?: string; readonly descends?: boolean }) =>
        Effect.gen(function* () {
          const found: Array<ReadonlyArray<string>> = []
          yield* repo.forEachPage({ prefix: "", sort: "id", pageSize: 2, ...query }, (sessions) =>
            Effect.sync(() => {
              for (const { policy, url } of sessions) expect([policy.insecure, url]).toEqual([true, "h:1"])
              return found.push(sessions.map(({ id }) => id)) > 0
            }),
          )
          return found
        })
      expect(yield* pages({})).toEqual([["B", "a"], ["b", "\u{ff5e}"], ["\u{1f600}"]])
      expect(yield* pages({ after: "a" })).toEqual([["b", "\u{ff5e}"], ["\u{1f600}"]])
      expect(yield* pages({ after: "aa", prefix: "b" })).toEqual([["b"]])
      expect(yield* pages({ after: "\u{1f600}" })).toEqual([])
      expect(yield* pages({ descends: true })).toEqual([["\u{1f600}", "\u{ff5e}"], ["b", "a"], ["B"]])
      expect(yield* pages({ descends: true, after: "b" })).toEqual([["a", "B"]])
    }),
  )
})

describe("a table that other programs write", () => {
  it.scoped("is listed to its end: ids that are no text, times of any kind", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile("sessions.db")
      const layer = layerSqlite({ filename })
      yield* Effect.provide(Effect.void, layer)
      const other = new Sqlite(filename)
      const insert = other.prepare(
        "INSERT INTO sessions (session_id, downstream_server_url, downstream_server_status, created_at, updated_at) VALUES (?, 'h:1', 'x', ?, ?)",
      )
      const texts = Array.from({ length: 700 }, (_, at) => `t${at}`)
      for (const [at, id] of texts.entries()) insert.run(id, `2026-01-01 00:${String(at % 60).padStart(2, "0")}:00`, at)
      insert.run("a\0b", null, null)
      insert.run("a\0c", "", "2026")
      for (let at = 0; at < 600; at++) insert.run(Buffer.from([at >> 8, at & 255, 0xff]), 7, 7.5)
      other.exec(
        "INSERT INTO sessions (session_id, downstream_server_url, downstream_server_status) SELECT CAST(session_id AS TEXT), 'h', 'x' FROM sessions WHERE typeof(session_id) = 'blob'",
      )
      other.close()
      yield* Effect.gen(function* () {
        const repo = yield* SessionRepo
        const expected = (yield* repo.list).map(({ id }) => id)
        expect(expected.length).toBe(1_902)
        expect(yield* idsOf(repo)).toEqual(expected)
        expect((yield* idsOf(repo, { sort: "updated" })).toSorted()).toEqual(expected.toSorted())
        expect((yield* idsOf(repo, { sort: "created" })).length).toBe(1_902)
        expect(yield* idsOf(repo, { prefix: "a" })).toEqual(["a\0b", "a\0c"])
      }).pipe(Effect.provide(layer))
    }),
  )
})
