import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { prefersHtml } from "../../src/wire/Accept.js"
import { errorPage } from "../../src/wire/ErrorPage.js"
import { chunk, request } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"
import { startProxy } from "../support/TestProxy.js"

const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"

describe("a client prefers HTML", () => {
  for (const accept of [
    browser,
    "text/html",
    "TEXT/HTML",
    "text/*",
    "application/json;q=0.5, text/html;q=0.6",
    "text/html;level=1;q=0.4, */*;q=0.3",
    "application/*;q=0.2 , text/html ; q=0.201",
  ])
    it(`that accepts ${accept}`, () => assert.isTrue(prefersHtml(["accept", accept])))

  it("that says so in two fields", () => assert.isTrue(prefersHtml(["Accept", "*/*;q=0.1", "ACCEPT", "text/html"])))
})

describe("a client does not prefer HTML", () => {
  for (const accept of [
    "",
    "*/*",
    "application/json",
    "application/problem+json",
    "text/plain",
    "text/html;q=0",
    "text/html, application/json",
    "application/json, text/html;q=0.9",
    "text/html;q=0.5, */*",
    "text/html;q=0.5, application/problem+json;q=0.7",
    "text/html;q=0, text/*",
    ",;,q=1",
  ])
    it(`that accepts ${accept === "" ? "nothing" : accept}`, () => assert.isFalse(prefersHtml(["Accept", accept])))

  it("whose Accept is longer than one that is read, in one field or several", () => {
    const longest = `text/html${" ".repeat(991)}`
    assert.isTrue(prefersHtml(["Accept", longest]))
    assert.isFalse(prefersHtml(["Accept", `${longest} `]))
    assert.isFalse(prefersHtml(["Accept", longest, "Accept", "text/html"]))
  })

  it("that has no Accept field", () => assert.isFalse(prefersHtml(["Host", "text/html"])))
})

describe("a page for an error", () => {
  it("has no markup but its own", () => {
    const hostile = `<script>alert("1")</script>&'`
    const page = errorPage({ status: 400, title: hostile, detail: hostile, code: hostile, request_id: hostile })
    assert.notInclude(page, "<script")
    assert.notInclude(page, `"1"`)
    assert.strictEqual(page.split("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;").length, 6)
  })

  it.scopedLive("tells a browser the facts, with what else an error has; nothing is loaded from elsewhere", () =>
    Effect.gen(function* () {
      const proxy = yield* startProxy({})
      const client = yield* proxy.connect
      const id = "<img/src=x>"
      const reply = yield* client.ask(request("GET /nobody/x", [`Accept: ${browser}`, `X-Request-Id: ${id}`]))
      assert.strictEqual(reply.status, 404)
      assert.strictEqual(reply.value("content-type"), "text/html; charset=utf-8")
      assert.strictEqual(reply.value("vary"), "Accept")
      assert.strictEqual(reply.value("proxy-status"), "ss-proxy; error=destination_not_found")
      assert.strictEqual(reply.value("x-request-id"), id)
      for (const fact of [
        "404 Not Found",
        "There is no session with this id.",
        "session_not_found",
        "&lt;img/src=x&gt;",
      ])
        assert.include(reply.text, fact)
      assert.notMatch(reply.text, /<img|https?:|src=(?!x&gt;)|href=|<script|url\(/)
    }),
  )

  it.scopedLive("is not for those who ask for anything or for JSON; they get problem+json, which varies too", () =>
    Effect.gen(function* () {
      const proxy = yield* startProxy({})
      const client = yield* proxy.connect
      for (const lines of [[], ["Accept: */*"], ["Accept: application/json"]]) {
        const reply = yield* client.ask(request("GET /nobody/x", lines))
        assert.strictEqual(reply.value("content-type"), "application/problem+json")
        assert.strictEqual(reply.value("vary"), "Accept")
        assert.deepInclude(reply.json, { code: "session_not_found" })
      }
    }),
  )

  it.scopedLive("has the same head after HEAD, and no body", () =>
    Effect.gen(function* () {
      const proxy = yield* startProxy({})
      const client = yield* proxy.connect
      const lines = ["Accept: text/html", "X-Request-Id: same"]
      const whole = yield* client.ask(request("GET /nobody/x", lines))
      const head = yield* client.ask(request("HEAD /nobody/x", lines))
      assert.strictEqual(head.value("content-length"), String(whole.body.length))
      assert.strictEqual((yield* client.ask(request("GET /health"))).text, "OK")
    }),
  )

  it.scopedLive("is given while the body is still coming, too", () =>
    Effect.gen(function* () {
      const { ask } = yield* startLab({ settings: { maxBodyBytes: 10 } })
      const lines = ["Accept: text/html", "Transfer-Encoding: chunked"]
      const reply = yield* ask(request("POST /app/x", lines, chunk("x".repeat(11))))
      assert.strictEqual(reply.status, 413)
      assert.include(reply.text, "<h1>413 ")
    }),
  )
})
