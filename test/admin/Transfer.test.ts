import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { join } from "node:path"
import { StoreUnavailable } from "../../src/domain/ProxyError.js"
import { layerMemory } from "../../src/sessions/MemorySessionRepo.js"
import { SessionRepo } from "../../src/sessions/SessionRepo.js"
import { layerSqlite } from "../../src/sessions/sqlite/SqliteSessionRepo.js"
import { temporaryFolder } from "../sessions/temporary.js"
import { eventually } from "../support/Changes.js"
import { bareRequest } from "../support/HttpText.js"
import { RawClient } from "../support/RawClient.js"
import { jsonOf, readToken, startAdminLab, writeToken } from "./AdminLab.js"

const url = "http://127.0.0.1:9"
const ndjson = ["Content-Type: application/x-ndjson"]
const lines = (...entries: ReadonlyArray<unknown>): string =>
  entries.map((entry) => `${typeof entry === "string" ? entry : JSON.stringify(entry)}\n`).join("")
const many = (count: number, status = "active") =>
  Array.from({ length: count }, (_, at) => ({ id: `many-${String(at).padStart(5, "0")}`, url, status }))

const startTransferLab = (options: Parameters<typeof startAdminLab>[0] = {}) =>
  Effect.map(startAdminLab(options), (lab) => ({
    ...lab,
    importLines: (query: string, body: string) => lab.askSocket(`POST /v1/import${query}`, body, ndjson),
    ids: Effect.map(lab.proxy.repo.list, (sessions) => sessions.map(({ id }) => id).filter((id) => id !== "app")),
  }))

const hostile = ["a/b", "%", "ü", "..", ".", "line\nbreak", "x".repeat(4_000), "<script>", "\u2028", '"']

describe("an export", () => {
  it.scopedLive("comes back whole by an import, whatever the ids are; secrets only where they are asked for", () =>
    Effect.gen(function* () {
      const { askPort, askSocket, askWith, importLines, proxy } = yield* startTransferLab()
      const entries = [...hostile, ...many(250).map(({ id }) => id)].map((id) => ({ id, url, insecure: id === "%" }))
      const secret = { id: "secret", url: "http://admin:hunter2@h.example" }
      assert.nestedPropertyVal(jsonOf(yield* importLines("", lines(...entries, secret))), "added", entries.length + 1)
      const whole = yield* askSocket("GET /v1/export?secrets=true")
      assert.strictEqual(whole.value("content-type"), "application/x-ndjson")
      assert.include(whole.text, "admin:hunter2@h.example")
      const before = yield* proxy.repo.list
      for (const { id } of before) yield* proxy.repo.remove(id)
      const text = Buffer.from(whole.text, "latin1").toString()
      assert.strictEqual((yield* importLines("", text)).status, 200)
      const bare = (sessions: typeof before) =>
        sessions.map(({ id, policy, status, url }) => ({ id, policy, status, url }))
      assert.deepStrictEqual(bare(yield* proxy.repo.list), bare(before))

      const hidden = yield* askWith(readToken, "GET /v1/export?prefix=secret")
      assert.include(hidden.text, "***@h.example")
      assert.strictEqual(hidden.text.trim().split("\n").length, 1)
      for (const query of ["secrets=true", "secrets=false&secrets=true", "secrets=1", "%73ecrets=true"])
        assert.strictEqual((yield* askWith(readToken, `GET /v1/export?${query}`)).status, 403, query)
      assert.include((yield* askWith(writeToken, "GET /v1/export?secrets=true&prefix=secret")).text, "hunter2")
      assert.strictEqual((yield* askPort("GET /v1/export")).status, 401)
      const refused = yield* importLines("?replace=true", Buffer.from(hidden.text, "latin1").toString())
      assert.strictEqual(refused.status, 400)
      assert.include(refused.text, "its user name and password were left out")
    }),
  )

  it.scopedLive("is broken off where the store fails, so that nobody takes a part of it for the whole", () =>
    Effect.gen(function* () {
      let pages = 0
      const failing = Layer.effect(
        SessionRepo,
        Effect.map(SessionRepo, (known) => ({
          ...known,
          forEachPage: ((query, take) =>
            pages++ === 4
              ? new StoreUnavailable({ problem: "the disk is gone", hint: "" })
              : known.forEachPage(query, take)) as typeof known.forEachPage,
        })),
      ).pipe(Layer.provide(layerMemory(many(1_000))))
      const { adminSocket, askSocket, proxy } = yield* startTransferLab({ repo: failing })
      const client = yield* RawClient.connectToPath(adminSocket)
      yield* client.send(bareRequest("GET /v1/export", ["Host: admin"]))
      yield* client.gone
      assert.include(client.text, "many-00150")
      assert.notInclude(client.text, "\r\n0\r\n")
      assert.isTrue(proxy.log.some((line) => line.includes("an export was broken off: the disk is gone")))
      pages = 4
      assert.strictEqual((yield* askSocket("GET /v1/export")).status, 503)
    }),
  )

  it.scopedLive("is read no faster than it is taken", () =>
    Effect.gen(function* () {
      let pages = 0
      const counting = Layer.effect(
        SessionRepo,
        Effect.map(SessionRepo, (known) => ({
          ...known,
          forEachPage: ((query, take) => {
            pages++
            return known.forEachPage(query, take)
          }) as typeof known.forEachPage,
        })),
      ).pipe(Layer.provide(layerMemory(many(5_000, "x".repeat(4_000)))))
      const { adminSocket, ask } = yield* startTransferLab({ repo: counting })
      const client = yield* RawClient.connectToPath(adminSocket)
      client.socket.pause()
      yield* client.send(bareRequest("GET /v1/export", ["Host: admin"]))
      yield* eventually(
        Effect.sync(() => pages > 1),
        "the first page",
      )
      // Time enough to read all of it, and others are answered meanwhile.
      for (let count = 0; count < 100; count++)
        assert.strictEqual((yield* ask(bareRequest("GET /health", ["Host: h"]))).status, 200)
      assert.isBelow(pages, 25)
    }),
  )
})

describe("an import", () => {
  it.scopedLive("stops at what is wrong and says where, or passes over it, as it is asked", () =>
    Effect.gen(function* () {
      const { ids, importLines, proxy } = yield* startTransferLab()
      const body = lines(
        { id: "a", url },
        "{broken",
        { id: "b", url: "ftp://h" },
        "",
        { id: "c", url, wspath: 1 },
        { id: "app", url },
        { id: "d", url: "x".repeat(70_000) },
        { id: "gone", remove: true },
        { id: "e", url },
      )
      const stopped = yield* importLines("", body)
      assert.strictEqual(stopped.status, 400)
      assert.deepInclude(jsonOf(stopped), { code: "import_stopped", added: 0, failed: 1 })
      assert.deepStrictEqual(yield* ids, [])
      const dry = yield* importLines("?on_error=skip&dry_run=true", body)
      assert.deepStrictEqual(yield* ids, [])
      const skipped = yield* importLines("?on_error=skip", body)
      assert.strictEqual(skipped.status, 200)
      assert.deepStrictEqual(jsonOf(dry), jsonOf(skipped))
      const { problems, ...counts } = jsonOf(skipped) as {
        problems: ReadonlyArray<{ line: number; id: string | null }>
      }
      assert.deepEqual(counts, { added: 2, replaced: 0, removed: 0, failed: 5 })
      assert.deepStrictEqual(
        problems.map(({ id, line }) => [line, id]),
        [
          [2, null],
          [3, "b"],
          [5, "c"],
          [7, null],
          [6, "app"],
        ],
      )
      assert.deepStrictEqual(yield* ids, ["a", "e"])
      const replaced = yield* importLines("?replace=true", lines({ id: "a", url }, { id: "e", remove: true }))
      assert.deepInclude(jsonOf(replaced), { added: 0, replaced: 1, removed: 1, failed: 0 })
      yield* eventually(
        Effect.sync(() => proxy.log.length === 2),
        "a line for each that changed something",
      )
      const [first = "", second = ""] = proxy.log
      for (const field of ['call="POST /v1/import"', "added=2", "removed=0"]) assert.include(first, field)
      for (const field of ["replaced=1", "removed=1"]) assert.include(second, field)
    }),
  )

  it.scopedLive("names a hundred of what is wrong, and counts the others", () =>
    Effect.gen(function* () {
      const { importLines } = yield* startTransferLab()
      const answer = jsonOf(yield* importLines("?on_error=skip", "x\n".repeat(150))) as {
        failed: number
        problems: ReadonlyArray<unknown>
      }
      assert.strictEqual(answer.failed, 150)
      assert.lengthOf(answer.problems, 100)
    }),
  )

  it.scopedLive("takes bodies of the right kind alone, from who may write", () =>
    Effect.gen(function* () {
      const { askPort, askSocket, askWith, ids, importLines } = yield* startTransferLab()
      const body = lines({ id: "a", url })
      assert.strictEqual((yield* askSocket("POST /v1/import", body)).status, 415)
      assert.strictEqual((yield* askWith(readToken, "POST /v1/import", body)).status, 403)
      assert.strictEqual((yield* askPort("POST /v1/import", ["Host: localhost", ...ndjson], body)).status, 401)
      for (const query of ["?replace=maybe", "?on_error=retry", "?dry_run=1"])
        assert.strictEqual((yield* importLines(query, body)).status, 400, query)
      assert.deepStrictEqual(yield* ids, [])
      assert.strictEqual((yield* importLines("", "")).status, 200)
    }),
  )

  it.scopedLive("keeps the batches that are in force where its client leaves, and says so in the log", () =>
    Effect.gen(function* () {
      const filename = join(yield* temporaryFolder, "sessions.db")
      const { adminSocket, ids, proxy } = yield* startTransferLab({ repo: layerSqlite({ filename }) })
      const client = yield* RawClient.connectToPath(adminSocket)
      const body = lines(...many(1_200))
      const fields = ["Host: admin", ...ndjson, `Content-Length: ${body.length * 2}`]
      yield* client.send(bareRequest("POST /v1/import", fields) + body)
      yield* eventually(
        Effect.map(ids, (found) => found.length === 1_000),
        "two batches",
      )
      client.socket.destroy()
      yield* eventually(
        Effect.sync(() => proxy.log.some((line) => line.includes("added=1000"))),
        "the line of the log",
      )
      assert.lengthOf(yield* ids, 1_000)
    }),
  )

  it.scopedLive("answers at once where it stops, also to who still sends", () =>
    Effect.gen(function* () {
      const { adminSocket } = yield* startTransferLab()
      const fields = ["Host: admin", ...ndjson, "Content-Length: 100000000"]
      for (const beginning of ["broken\n", '{"id":"a line that never ends'.padEnd(70_000)]) {
        const client = yield* RawClient.connectToPath(adminSocket)
        yield* client.send(`${bareRequest("POST /v1/import", fields)}${beginning}`)
        const answer = yield* client.response()
        assert.strictEqual(answer.status, 400)
        assert.strictEqual(answer.value("connection"), "close")
        yield* client.gone
      }
    }),
  )
})
