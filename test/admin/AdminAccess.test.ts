import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { rmSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { FailedTries } from "../../src/admin/access/FailedTries.js"
import { parseTokens } from "../../src/admin/access/TokenFile.js"
import { temporaryFolder } from "../sessions/temporary.js"
import { eventually } from "../support/Changes.js"
import { request } from "../support/HttpText.js"
import { jsonOf, readToken, startAdminLab, writeToken } from "./AdminLab.js"

const local = "Host: localhost"

describe("who may use the admin API over TCP", () => {
  it.scopedLive("is who has a token, however the scheme is written", () =>
    Effect.gen(function* () {
      const { askPort } = yield* startAdminLab()
      for (const scheme of ["Bearer", "bearer", "token", "TOKEN", "Bearer "]) {
        const answer = yield* askPort("GET /v1/sessions", [local, `Authorization: ${scheme} ${writeToken}`])
        assert.strictEqual(answer.status, 200, scheme)
      }
    }),
  )

  it.scopedLive("is nobody with a wrong one: by length, by its last byte, twice, empty, or of another scheme", () =>
    Effect.gen(function* () {
      const wrong = [
        `Authorization: Bearer ${writeToken}x`,
        `Authorization: Bearer ${writeToken.slice(0, -1)}`,
        `Authorization: Bearer ${writeToken.slice(0, -1)}X`,
        `Authorization: Bearer ${writeToken} ${writeToken}`,
        "Authorization: Bearer",
        "Authorization: Bearer ",
        "Authorization:",
        `Authorization: Basic ${writeToken}`,
        `Authorization: ${writeToken}`,
        `Authorization: Bearer ${writeToken}\r\nAuthorization: Bearer ${writeToken}`,
        `Cookie: token=${writeToken}`,
      ]
      const { askPort } = yield* startAdminLab()
      for (const field of wrong) {
        const answer = yield* askPort("GET /v1/sessions", [local, field])
        assert.strictEqual(answer.status, 401, field)
        assert.strictEqual(answer.value("www-authenticate"), "Bearer")
        assert.notInclude(answer.text, "app")
      }
      assert.strictEqual((yield* askPort(`GET /v1/sessions?token=${writeToken}`)).status, 401)
      for (const path of [
        "/v1/",
        "/v1/nothing",
        "/v1/sessions/app",
        "//v1/sessions",
        "/V1/sessions",
        "/v1/./sessions",
      ]) {
        const { status } = yield* askPort(`GET ${path}`)
        assert.include([401, 404], status, path)
      }
    }),
  )

  it.scopedLive("may only look with a token that only reads", () =>
    Effect.gen(function* () {
      const { askWith } = yield* startAdminLab()
      assert.strictEqual((yield* askWith(readToken, "GET /v1/sessions/app")).status, 200)
      for (const line of ["POST /v1/sessions/app/touch", "DELETE /v1/live/x-1", "PUT /v1/sessions/app"]) {
        const answer = yield* askWith(readToken, line)
        assert.deepStrictEqual([answer.status, answer.text.includes('"code":"read_only"')], [403, true], line)
      }
      assert.strictEqual((yield* askWith(writeToken, "POST /v1/sessions/app/touch")).status, 204)
    }),
  )

  it.scopedLive("has to wait once ten tokens of it were wrong, and is let in on the socket all the same", () =>
    Effect.gen(function* () {
      const { askSocket, askWith } = yield* startAdminLab()
      const statuses: Array<number> = []
      for (let count = 0; count < 11; count++) statuses.push((yield* askWith("wrong", "GET /v1/version")).status)
      assert.deepStrictEqual(statuses, [...Array.from({ length: 9 }, () => 401), 429, 429])
      const waiting = yield* askWith(writeToken, "GET /v1/version")
      assert.strictEqual(waiting.status, 429)
      assert.match(waiting.value("retry-after") ?? "", /^\d+$/)
      assert.strictEqual((yield* askSocket("GET /v1/version")).status, 200)
    }),
  )

  it("counts wrong tokens for a minute, by the address, or the /64 of one", () => {
    let now = 0
    const tries = new FailedTries(() => now)
    for (let count = 0; count < 10; count++) tries.failed(`2001:db8:0:1::${count}`)
    assert.strictEqual(tries.waitOf("2001:db8:0:1::ffff"), 60)
    assert.strictEqual(tries.waitOf("2001:db8:0:2::1"), 0)
    now = 60_000
    assert.strictEqual(tries.waitOf("2001:db8:0:1::ffff"), 0)
  })

  it.scopedLive("gets a token on the socket alone, which is over after its time", () =>
    Effect.gen(function* () {
      const { adminPort, askSocket, askWith } = yield* startAdminLab({
        settings: { adminToken: "", adminReadToken: "" },
      })
      assert.strictEqual((yield* askWith(writeToken, "GET /v1/version")).status, 401)
      const issue = (body: string) =>
        Effect.map(askSocket("POST /v1/tokens", body), (answer) => {
          assert.strictEqual(answer.status, 201)
          const { token, url } = jsonOf(answer) as { readonly token: string; readonly url: string }
          assert.strictEqual(url, `http://127.0.0.1:${adminPort}/#token=${token}`)
          return token
        })
      const [token, reader] = [yield* issue("{}"), yield* issue('{"read_only":true,"for":"1h"}')]
      assert.strictEqual((yield* askWith(token, "POST /v1/sessions/app/touch")).status, 204)
      assert.strictEqual((yield* askWith(reader, "GET /v1/version")).status, 200)
      assert.strictEqual((yield* askWith(reader, "POST /v1/sessions/app/touch")).status, 403)
      const more = yield* askWith(token, "POST /v1/tokens", "{}")
      assert.deepStrictEqual([more.status, more.text.includes('"code":"socket_only"')], [403, true])
      const short = yield* issue('{"for":"0.05s"}')
      yield* Effect.sleep(60)
      assert.strictEqual((yield* askWith(short, "GET /v1/version")).status, 401)
    }),
  )

  it.scopedLive("is held to the same rules however the path of a call is written", () =>
    Effect.gen(function* () {
      const { askPort, askSocket, askWith } = yield* startAdminLab()
      for (const path of ["/v1/%74okens", "/v1/tokens;x", "//v1/tokens", "//x/v1/tokens", "/v1/x/%2e%2e/tokens"]) {
        const answer = yield* askWith(writeToken, `POST ${path}`, "{}")
        assert.notInclude(answer.text, '"token"', path)
        assert.include([403, 404, 405], answer.status, path)
      }
      assert.strictEqual((yield* askPort("GET /v1/%73essions")).status, 401)
      // An id with a semicolon is that of another session.
      assert.strictEqual((yield* askSocket("DELETE /v1/sessions/app;x")).status, 404)
      assert.strictEqual((yield* askSocket("GET /v1/sessions/app")).status, 200)
      yield* askSocket("PUT /v1/sessions/a;%62", '{"url":"http://localhost:1"}')
      assert.include((yield* askSocket("GET /v1/sessions/a%3Bb")).text, '"id":"a;b"')
    }),
  )

  it.scopedLive("is told by a file of tokens, as it is now; what was read last stays where it is broken", () =>
    Effect.gen(function* () {
      const file = join(yield* temporaryFolder, "tokens")
      const write = (text: string, second: number) => {
        writeFileSync(file, text)
        utimesSync(file, second, second)
      }
      write("# rotating\nfirst-token-of-the-file\nread second-token-of-the-file\n", 1_000)
      const { askWith, proxy } = yield* startAdminLab({ settings: { adminTokenFile: file } })
      const statusOf = (token: string, line = "GET /v1/version") =>
        Effect.map(askWith(token, line), ({ status }) => status)
      assert.strictEqual(yield* statusOf("first-token-of-the-file", "POST /v1/sessions/app/touch"), 204)
      assert.strictEqual(yield* statusOf("second-token-of-the-file", "POST /v1/sessions/app/touch"), 403)
      write("third-token-of-the-file\n", 2_000)
      yield* eventually(
        Effect.map(
          statusOf("first-token-of-the-file", "GET /v1/version"),
          (status) => status === 401 || status === 429,
        ),
        "the file to be read again",
      )
      write("short\n", 3_000)
      yield* eventually(
        Effect.sync(() => proxy.log.some((line) => line.includes("stay as they were: line 1 is no token"))),
        "the file to be found broken",
      ).pipe(Effect.race(Effect.forever(Effect.delay(statusOf("third-token-of-the-file"), 50))))
      rmSync(file)
    }),
  )

  it("needs tokens of at least 16 characters", () => {
    assert.strictEqual(parseTokens("short").toString().includes("line 1 is no token"), true)
    assert.strictEqual(parseTokens("# nothing\n\n").toString().includes("it holds no token"), true)
  })
})

describe("a page in a browser", () => {
  it.scopedLive("cannot use the API, by whatever name it was led here, or without a preflight", () =>
    Effect.gen(function* () {
      const { askPort } = yield* startAdminLab()
      const token = `Authorization: Bearer ${writeToken}`
      const cases: ReadonlyArray<readonly [line: string, fields: ReadonlyArray<string>, status: number]> = [
        ["GET /v1/sessions", ["Host: evil.example", token], 421],
        ["GET /v1/sessions", [local, "Host: localhost", token], 400],
        ["GET /v1/sessions", [local, "Origin: https://evil.example", token], 403],
        ["GET /v1/sessions", [local, "Origin: null", token], 403],
        ["GET /v1/sessions", [local, "Origin: http://localhost.evil.example", token], 403],
        ["GET /v1/sessions", [local, "Sec-Fetch-Site: cross-site", token], 403],
        ["POST /v1/sessions/app/touch", [local, "Origin: http://localhost:1", token], 403],
        ["POST /v1/sessions/app/touch", [local], 401],
        ["POST /v1/sessions/app/touch", [local, "Content-Type: text/plain"], 401],
        ["OPTIONS /v1/sessions", [local, "Access-Control-Request-Method: PUT"], 405],
        ["GET /v1/sessions", ["Host: proxy.test", "Origin: https://proxy.test", token], 200],
      ]
      for (const [line, fields, status] of cases) {
        const answer = yield* askPort(line, fields)
        assert.strictEqual(answer.status, status, fields.join())
        assert.notMatch(answer.names.join(), /access-control/i)
        assert.strictEqual(answer.value("cache-control"), "no-store")
      }
    }),
  )
})

describe("a session", () => {
  it.scopedLive("whose URL is the admin port is answered 508, by address and by name, and nothing is shown", () =>
    Effect.gen(function* () {
      const { adminPort, ask, proxy } = yield* startAdminLab()
      for (const host of ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"]) {
        const url = `http://u:${writeToken}@${host}:${adminPort}/`
        yield* proxy.repo.put({ id: "loop", url, status: "active" })
        const answer = yield* ask(request("GET /loop/v1/sessions", [`Authorization: Bearer ${writeToken}`]))
        assert.strictEqual(answer.status, 508, host)
        assert.notInclude(answer.text, "app")
      }
    }),
  )

  it.scopedLive("shows no secret of its URL, and the API none of its own, in any answer", () =>
    Effect.gen(function* () {
      const { ask, askSocket, proxy } = yield* startAdminLab()
      const url = "http://user:hunter2@127.0.0.1:9/base"
      yield* proxy.repo.put({ id: "secret", url, status: "active" })
      yield* ask(request("GET /secret/?api_key=hunter2"))
      const explained = encodeURIComponent("http://x/secret/?password=hunter2")
      const targets = [
        "/v1/config",
        "/v1/sessions?include=live,activity",
        "/v1/sessions/secret",
        "/v1/sessions/secret/activity",
        "/v1/live",
        "/v1/processes",
        `/v1/explain?url=${explained}`,
        `/v1/explain?url=${explained}&upgrade=websocket`,
        "/metrics",
        "/openapi.json",
      ]
      const basic = Buffer.from("user:hunter2").toString("base64")
      for (const target of targets) {
        const { status, text } = yield* askSocket(`GET ${target}`)
        assert.strictEqual(status, 200, target)
        for (const secret of ["hunter2", basic, writeToken, readToken]) assert.notInclude(text, secret, target)
      }
      assert.notInclude(proxy.log.join(), writeToken)
    }),
  )

  it.scopedLive("that is changed is in the log: by whom, from where, and how it was answered", () =>
    Effect.gen(function* () {
      const { askWith, askSocket, proxy } = yield* startAdminLab()
      yield* askWith(writeToken, "POST /v1/sessions/app/touch")
      yield* askSocket("POST /v1/sessions/app/touch")
      yield* askWith(readToken, "GET /v1/sessions")
      yield* askSocket("POST /v1/sessions/none/touch")
      yield* eventually(
        Effect.sync(() => proxy.log.length === 2),
        "two lines in the log",
      )
      const [byToken = "", bySocket = ""] = proxy.log
      assert.include(byToken, 'call="POST /v1/sessions/app/touch"')
      assert.include(byToken, 'by="token 5e0d"')
      assert.include(byToken, "from=127.0.0.1")
      assert.include(bySocket, 'by="the socket"')
    }),
  )
})
