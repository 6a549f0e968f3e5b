import { assert, describe, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Effect, Option } from "effect"
import { createHash } from "node:crypto"
import { join } from "node:path"
import type { Session } from "../../src/domain/Session.js"
import { defaultPolicy } from "../../src/domain/SessionPolicy.js"
import { wholePolicyFields } from "../../src/sessions/SessionShape.js"
import { layerSqlite } from "../../src/sessions/sqlite/SqliteSessionRepo.js"
import { temporaryFolder } from "../sessions/temporary.js"
import { eventually } from "../support/Changes.js"
import { jsonOf, readToken, startAdminLab, writeToken } from "./AdminLab.js"

const url = "http://127.0.0.1:9"
const mergePatch = "Content-Type: application/merge-patch+json"
const hostile = ["a/b", "%", "ü", "line\nbreak", "x".repeat(4_000), "<script>", "a b", "events", "?", "#", "a//b"]
const pathOf = (id: string): string => `/v1/sessions/${encodeURIComponent(id)}`

/** What an entity tag would be that everybody can compute who knows the session. */
const hashOf = ({ createdAt, policy, status, updatedAt, url }: Session): string => {
  const all = JSON.stringify([url, status, wholePolicyFields(policy), createdAt, updatedAt])
  return `"${createHash("sha256").update(all).digest("hex").slice(0, 16)}"`
}

/** A laboratory with calls that change a session. */
const startWriteLab = (options: Parameters<typeof startAdminLab>[0] = {}) =>
  Effect.map(startAdminLab(options), (lab) => ({
    ...lab,
    put: (id: string, body: unknown, fields: ReadonlyArray<string> = []) =>
      lab.askSocket(`PUT ${pathOf(id)}`, JSON.stringify(body), fields),
    patch: (id: string, body: unknown, fields: ReadonlyArray<string> = []) =>
      lab.askSocket(`PATCH ${pathOf(id)}`, JSON.stringify(body), [mergePatch, ...fields]),
    remove: (id: string, fields: ReadonlyArray<string> = []) =>
      lab.askSocket(`DELETE ${pathOf(id)}`, undefined, fields),
    stored: (id: string) => Effect.map(lab.proxy.repo.find(id), (found) => Option.getOrUndefined(found)?.session),
  }))

describe("a session that the API changes", () => {
  it.scopedLive("is stored, changed and removed by any id that a path can name", () =>
    Effect.gen(function* () {
      const { patch, put, remove, stored } = yield* startWriteLab()
      for (const id of hostile) {
        const made = yield* put(id, { url })
        assert.strictEqual(made.status, 201, id)
        assert.nestedPropertyVal(jsonOf(made), "id", id)
        assert.strictEqual((yield* put(id, { url, status: "paused", ws_path: "full" })).status, 200)
        const changed = yield* patch(id, { ws_path: null, insecure: true })
        assert.strictEqual(changed.status, 200)
        assert.match(changed.value("etag") ?? "", /^"[0-9a-f]{16}"$/)
        assert.deepInclude(yield* stored(id), { status: "paused", policy: { ...defaultPolicy, insecure: true } })
        assert.strictEqual((yield* remove(id)).status, 204)
        assert.isUndefined(yield* stored(id))
        assert.strictEqual((yield* remove(id)).status, 404)
        assert.strictEqual((yield* patch(id, {})).status, 404)
      }
    }),
  )

  it.scopedLive("is what a GET gave, put back", () =>
    Effect.gen(function* () {
      const { get, put, stored } = yield* startWriteLab()
      yield* put("a", { url, status: "paused", insecure: true, ws_path: "strip" })
      const before = yield* stored("a")
      assert.strictEqual((yield* put("a", yield* get("/v1/sessions/a"))).status, 200)
      // A second may have begun meanwhile.
      assert.deepEqual({ ...(yield* stored("a")), updatedAt: "" }, { ...before, updatedAt: "" })
    }),
  )

  it.scopedLive("keeps the user info of its URL, which is never shown, and does not take it back hidden", () =>
    Effect.gen(function* () {
      const { askSocket, get, patch, put, stored } = yield* startWriteLab()
      const secret = "https://ad%40min:hunter2@h.example/base"
      const answers = [
        yield* put("a", { url: secret }),
        yield* patch("a", { status: "paused" }),
        yield* askSocket("GET /v1/sessions/a"),
        yield* put("a", { url: "ftp://admin:hunter2@h" }),
      ]
      for (const { text } of answers) {
        assert.include(text, "***@h")
        assert.notMatch(text, /hunter2|ad(%40)?min:/)
      }
      assert.strictEqual((yield* stored("a"))?.url, secret)
      const shown = yield* get("/v1/sessions/a")
      for (const answer of [yield* put("a", shown), yield* patch("a", shown), yield* patch("a", { url: "***@h" })]) {
        assert.include([400, 422], answer.status)
        assert.include(answer.text, answer.status === 422 ? "url_refused" : "forwards")
      }
      assert.strictEqual((yield* stored("a"))?.url, secret)
    }),
  )

  it.scopedLive("keeps the values of its fields, which are never shown, and does not take them back hidden", () =>
    Effect.gen(function* () {
      const { askSocket, get, patch, put, stored } = yield* startWriteLab({
        settings: { setResponseFields: { "X-All": "hunter2" } },
      })
      const setFields = { Authorization: "Bearer hunter2", "X-Team": ["hunter2", "b"] }
      const body = { url, set_fields: setFields, set_response_fields: '{"X-A":"hunter2"}', strip_fields: ["Cookie"] }
      const answers = [
        yield* put("a", body),
        yield* patch("a", { status: "ready" }),
        yield* askSocket("GET /v1/sessions/a"),
        yield* askSocket("GET /v1/sessions"),
        yield* askSocket("GET /v1/explain?target=/a/x"),
        yield* askSocket("GET /v1/export"),
        yield* put("a", { url, set_fields: { Host: "hunter2" } }),
        yield* put("a", { url, set_fields: '{"X-A":"hunter2' }),
        yield* askSocket("GET /v1/config"),
      ]
      assert.deepStrictEqual(
        answers.map(({ status }) => status),
        [201, 200, 200, 200, 200, 200, 400, 400, 200],
      )
      for (const { text } of answers) assert.notInclude(text, "hunter2")
      assert.deepInclude(jsonOf(answers[2] ?? assert.fail()), {
        set_fields: '{"Authorization":"***","X-Team":"***"}',
        set_response_fields: '{"X-A":"***"}',
        strip_fields: '["Cookie"]',
        set_fields_url: url,
      })
      assert.deepInclude((yield* stored("a"))?.policy, { setFields, stripFields: ["Cookie"] })
      assert.include((yield* askSocket("GET /v1/export?secrets=true")).text, "Bearer hunter2")
      const shown = yield* get("/v1/sessions/a")
      const back = yield* put("a", shown)
      assert.strictEqual(back.status, 400)
      assert.include(back.text, "left out where it was shown")
      assert.deepInclude((yield* stored("a"))?.policy, { setFields })
    }),
  )

  it.scopedLive("does not take its secrets to another server, nor does who cannot know them", () =>
    Effect.gen(function* () {
      const { patch, put } = yield* startWriteLab()
      const set_fields = { Authorization: "Bearer hunter2" }
      const other = "http://127.0.0.1:10"
      yield* put("a", { url, set_fields })
      for (const stolen of [{ set_fields_url: other }, { url: other, set_fields_url: other }, { set_fields_url: null }])
        assert.strictEqual((yield* patch("a", stolen)).status, 400)
      const moved = jsonOf(yield* patch("a", { url: other }))
      assert.deepInclude(moved, { url: other, forwards: false, set_fields_url: url })
      assert.deepInclude(jsonOf(yield* patch("a", { set_fields })), { forwards: true, set_fields_url: other })
      yield* patch("a", { url })
      assert.deepInclude(jsonOf(yield* patch("a", { set_fields: null })), { forwards: true, set_fields_url: null })
    }),
  )

  it.scopedLive("has another entity tag for another secret, and nobody can find the secret by trying out tags", () =>
    Effect.gen(function* () {
      const { patch, put, stored } = yield* startWriteLab()
      const computed = Effect.suspend(() => Effect.map(stored("a"), (session) => session && hashOf(session)))
      const made = yield* put("a", { url })
      assert.strictEqual(made.value("etag"), yield* computed)
      const tagOf = (value: string) =>
        Effect.map(patch("a", { set_fields: { "X-A": value } }), (answer) => answer.value("etag"))
      const tag = yield* tagOf("0000")
      assert.notStrictEqual(tag, yield* computed)
      assert.notStrictEqual(tag, yield* tagOf("0001"))
    }),
  )

  it.scopedLive("is refused with the place of everything that is wrong", () =>
    Effect.gen(function* () {
      const { askSocket, patch, put, stored } = yield* startWriteLab({ settings: { denyDownstream: ["10.0.0.0/8"] } })
      const wrong = yield* put("a", { url: 7, status: [], insecure: "yes", ws_path: "sideways", wspath: 1, ürl: url })
      assert.strictEqual(wrong.status, 400)
      assert.nestedPropertyVal(jsonOf(wrong), "code", "invalid_request")
      const { errors } = jsonOf(wrong) as { errors: ReadonlyArray<{ path: string; detail: string }> }
      assert.deepStrictEqual(
        errors.map(({ path }) => path),
        ["url", "status", "insecure", "ws_path", "wspath", "ürl"],
      )
      assert.include(errors[4]?.detail, 'did you mean "ws_path"')
      const ask = (body: unknown) => Effect.map(put("a", body), ({ status }) => status)
      for (const body of [null, [], "x", 1, {}, { url: null }, { url, id: "b" }])
        assert.strictEqual(yield* ask(body), 400)
      assert.strictEqual((yield* put("health", { url })).status, 400)
      assert.strictEqual((yield* patch("app", { forwards: false })).status, 400)
      assert.strictEqual((yield* askSocket("PUT /v1/sessions/a", "{")).status, 400)
      assert.strictEqual((yield* askSocket("PATCH /v1/sessions/app", "[1", [mergePatch])).status, 400)
      for (const refused of ["ftp://h", "http://h?q", "http://10.1.2.3", "http://[::ffff:10.1.2.3]"]) {
        const answer = yield* put("a", { url: refused })
        assert.strictEqual(answer.status, 422, refused)
        assert.nestedPropertyVal(jsonOf(answer), "code", "url_refused")
      }
      assert.isUndefined(yield* stored("a"))
    }),
  )

  it.scopedLive("takes bodies of the right kind, of 1 MiB at most", () =>
    Effect.gen(function* () {
      const { askSocket } = yield* startWriteLab()
      const body = JSON.stringify({ status: "x".repeat(1_048_576) })
      const type = (value: string) => [`Content-Type: ${value}`]
      assert.strictEqual((yield* askSocket("PATCH /v1/sessions/app", "{}", type("application/json"))).status, 415)
      assert.strictEqual((yield* askSocket("PUT /v1/sessions/app", "{}", [mergePatch])).status, 415)
      assert.strictEqual((yield* askSocket("PUT /v1/sessions/app", "{}", type("text/plain"))).status, 415)
      assert.strictEqual((yield* askSocket("PATCH /v1/sessions/app", body, [mergePatch])).status, 413)
    }),
  )

  it.scopedLive("goes on by the entity tags that RFC 9110 lets it", () =>
    Effect.gen(function* () {
      const { askSocket, patch, put, remove, proxy } = yield* startWriteLab()
      const tag = (yield* put("a", { url }, ["If-None-Match: *"])).value("etag") ?? ""
      const on = (status: number, ...values: ReadonlyArray<string>) =>
        Effect.gen(function* () {
          // Its tag of now, in place of TAG: the time of the last change is part of it.
          const now = (yield* askSocket("GET /v1/sessions/a")).value("etag") ?? ""
          const fields = values.map((value) => value.replaceAll("TAG", now))
          assert.strictEqual((yield* patch("a", {}, fields)).status, status, fields.join())
        })
      assert.strictEqual((yield* put("a", { url }, ["If-None-Match: *"])).status, 412)
      assert.strictEqual((yield* put("b", { url }, ["If-Match: *"])).status, 412)
      assert.strictEqual((yield* patch("b", {}, [`If-Match: ${tag}`])).status, 404)
      yield* on(200, "If-Match: TAG")
      yield* on(200, "If-Match: *")
      yield* on(200, 'If-Match: "other", ,\tTAG ,')
      yield* on(200, 'If-Match: "other"', "If-Match: TAG")
      yield* on(200, 'If-None-Match: "other", W/"x,y"')
      yield* on(412, "If-Match: W/TAG")
      yield* on(412, 'If-Match: "other"')
      yield* on(412, "If-None-Match: W/TAG")
      yield* on(412, "If-None-Match: *")
      const broken = ["", "TAG TAG", "w/TAG", "*, TAG", '"a b"', tag.slice(1), `${" ".repeat(9_000)}x`]
      for (const value of broken) yield* on(400, `If-Match: ${value}`)
      yield* proxy.repo.set("a", { status: "paused" })
      const stale = yield* put("a", { url }, [`If-Match: ${tag}`])
      assert.strictEqual(stale.status, 412)
      assert.nestedPropertyVal(jsonOf(stale), "code", "precondition_failed")
      assert.strictEqual((yield* remove("a", [`If-Match: ${tag}`])).status, 412)
      assert.strictEqual((yield* remove("a", ["If-Match: *"])).status, 204)
    }),
  )

  it.scopedLive("is changed 50 times at once by what each has read: none of these changes is lost", () =>
    Effect.gen(function* () {
      const filename = join(yield* temporaryFolder, "sessions.db")
      const { askSocket, patch, stored } = yield* startWriteLab({ repo: layerSqlite({ filename }) })
      const read = Effect.map(askSocket("GET /v1/sessions/app"), (found) => found.value("etag") ?? "")
      const change = (status: string) =>
        Effect.flatMap(read, (tag) => patch("app", { status }, [`If-Match: ${tag}`])).pipe(
          Effect.map((answer) => ({ status, code: answer.status })),
        )
      const answers = yield* Effect.all(
        Array.from({ length: 50 }, (_, at) => change(`s-${at}`)),
        { concurrency: "unbounded" },
      )
      const kept = answers.filter(({ code }) => code === 200)
      assert.isNotEmpty(kept)
      assert.deepStrictEqual(
        [...new Set(answers.map(({ code }) => code))].filter((code) => code !== 412),
        [200],
      )
      assert.include(
        kept.map(({ status }) => status),
        (yield* stored("app"))?.status,
      )
      const tag = yield* read
      const database = new Sqlite(filename)
      database.exec("UPDATE sessions SET downstream_server_status = 'by hand' WHERE session_id = 'app'")
      database.close()
      assert.strictEqual((yield* patch("app", { status: "active" }, [`If-Match: ${tag}`])).status, 412)
      assert.strictEqual((yield* stored("app"))?.status, "by hand")
    }),
  )

  it.scopedLive("is not changed by who may only read, and a change is in the log", () =>
    Effect.gen(function* () {
      const { askWith, proxy, put, stored } = yield* startWriteLab()
      const before = yield* stored("app")
      const calls = ["PUT /v1/sessions/app", "PATCH /v1/sessions/app", "DELETE /v1/sessions/app"]
      for (const call of calls) {
        const answer = yield* askWith(readToken, call, call.startsWith("DELETE") ? undefined : "{}")
        assert.strictEqual(answer.status, 403)
        assert.nestedPropertyVal(jsonOf(answer), "code", "read_only")
      }
      assert.deepEqual(yield* stored("app"), before)
      yield* askWith(writeToken, "PUT /v1/sessions/app", JSON.stringify({ url }))
      yield* put("line\nbreak", { url })
      yield* eventually(
        Effect.sync(() => proxy.log.length === 2),
        "two lines in the log",
      )
      const [byToken = "", bySocket = ""] = proxy.log
      assert.match(byToken, / by="token [0-9a-f]{4}"/)
      assert.include(byToken, " session=app")
      assert.include(byToken, " from=127.0.0.1")
      assert.include(bySocket, String.raw` session="line\nbreak"`)
      assert.include(bySocket, ' by="the socket"')
    }),
  )
})
