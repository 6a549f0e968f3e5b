import { assert, describe, it } from "@effect/vitest"
import { Either, FastCheck as fc } from "effect"
import type { DownstreamUrl } from "../../src/wire/DownstreamUrl.js"
import { parseDownstreamUrl } from "../../src/wire/DownstreamUrl.js"
import { plainTarget, parseTarget, webSocketPrefix, webSocketTarget } from "../../src/wire/Target.js"

const routeOf = (target: string) =>
  Either.getOrThrowWith(parseTarget("GET", target), (error) => new Error(`${error._tag} for ${target}`))

const tagOf = (target: string) =>
  Either.match(parseTarget("GET", target), { onLeft: ({ _tag }) => _tag, onRight: ({ _tag }) => _tag })

const at = (url: string): DownstreamUrl => Either.getOrThrow(parseDownstreamUrl(url))

/** Bytes of a target that a request line can carry, `#` aside: latin1 included, for clients send it. */
const targetByte = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(..."abz09/%2F?;.+=&:@~-_") },
  { weight: 1, arbitrary: fc.integer({ min: 0x21, max: 0xff }).map((code) => String.fromCharCode(code)) },
)
const targetText = fc.stringOf(
  targetByte.filter((byte) => byte !== "#" && byte !== "\x7f"),
  { maxLength: 30 },
)

describe("parseTarget", () => {
  for (const [target, id, rest] of [
    ["/app", "app", ""],
    ["/app/", "app", "/"],
    ["/app?", "app", "?"],
    ["/app?x=/y", "app", "?x=/y"],
    ["/app/%2F//..;a?b?c", "app", "/%2F//..;a?b?c"],
    ["/a%20b/x", "a b", "/x"],
    ["/a%2Fb/x", "a/b", "/x"],
    ["/%C3%A9/x", "\u00e9", "/x"],
    ["/%2525/x", "%25", "/x"],
    ["/wsx/y", "wsx", "/y"],
    ["/healthy", "healthy", ""],
    ["http://h:1/app/x", "app", "/x"],
  ] as const) {
    it(`finds session ${id} in ${target}`, () => {
      const route = routeOf(target)
      if (route._tag !== "Session") return assert.fail(route._tag)
      assert.deepStrictEqual([route.id, route.rest, route.webSocketOnly], [id, rest, false])
    })
  }

  for (const [target, id, rest] of [
    ["/ws/app", "app", ""],
    ["/ws/app/x?y", "app", "/x?y"],
    ["/ws/a%2Fb", "a/b", ""],
    ["/%77s/app", "app", ""],
  ] as const) {
    it(`takes ${target} for a WebSocket of session ${id}`, () => {
      const route = routeOf(target)
      if (route._tag !== "Session") return assert.fail(route._tag)
      assert.deepStrictEqual([route.id, route.rest, route.webSocketOnly], [id, rest, true])
    })
  }

  for (const [target, tag] of [
    ["/health", "Health"],
    ["/health?x", "Health"],
    ["/%68ealth", "Health"],
    ["/health/x", "SessionNotFound"],
    ["/", "SessionNotFound"],
    ["//app", "SessionNotFound"],
    ["/?app", "SessionNotFound"],
    ["/ws", "SessionNotFound"],
    ["/ws/", "SessionNotFound"],
    ["/ws//x", "SessionNotFound"],
    ["/%", "BadRequest"],
    ["/%zz/x", "BadRequest"],
    ["/%ff/x", "BadRequest"],
    ["/ws/%e9", "BadRequest"],
    ["/app#x", "BadRequest"],
    ["*", "BadRequest"],
    ["app", "BadRequest"],
    ["h:443", "BadRequest"],
    ["ftp://h/app", "BadRequest"],
    ["http:///app", "BadRequest"],
    ["http://h", "SessionNotFound"],
  ] as const) {
    it(`says ${tag} to ${target}`, () => {
      assert.strictEqual(tagOf(target), tag)
    })
  }

  it("knows the authority of an absolute target", () => {
    const route = routeOf("HTTP://H:8/app")
    if (route._tag !== "Session") return assert.fail(route._tag)
    assert.strictEqual(route.authority, "H:8")
  })

  it("never throws", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.fullUnicodeString(), targetText), (text) => void tagOf(text)),
      {
        numRuns: 2_000,
      },
    )
  })

  it("loses, adds and changes no byte of a target on its way to the session's server", () => {
    fc.assert(
      fc.property(
        targetText,
        fc.constantFrom("http://h", "http://h/base", "http://h/base/", "http://h/a//b"),
        (text, url) => {
          const target = `/${text}`
          const result = parseTarget("GET", target)
          if (Either.isLeft(result) || result.right._tag !== "Session") return
          const { segment, rest, webSocketOnly } = result.right
          const { basePath, storedPath } = at(url)
          if (webSocketOnly) {
            assert.strictEqual(target.slice(target.indexOf("/", 1)), segment + rest)
            assert.strictEqual(webSocketTarget(at(url), segment, rest, "append"), basePath + segment + rest)
          } else {
            assert.strictEqual(segment + rest, target)
            const before = rest.startsWith("/") ? basePath : storedPath
            assert.strictEqual(plainTarget(at(url), { segment: "/other", rest }, "strip"), before + rest)
          }
        },
      ),
      { numRuns: 2_000 },
    )
  })

  it("finds every id in its percent-encoding", () => {
    const id = fc.fullUnicodeString({ minLength: 1 }).filter((text) => !/\p{Surrogate}/u.test(text))
    fc.assert(
      fc.property(id, (text) => {
        const reserved = text === "health" || text === "ws"
        const encoded = encodeURIComponent(text)
        const route = routeOf(`/ws/${encoded}/x`)
        assert.strictEqual(route._tag === "Session" ? route.id : route._tag, text)
        if (reserved) return
        const plain = routeOf(`/${encoded}/x`)
        assert.strictEqual(plain._tag === "Session" ? plain.id : plain._tag, text)
      }),
    )
  })
})

describe("a WebSocket's target", () => {
  for (const [wsPath, target, prefix] of [
    ["append", "/base/app/x?y", "/ws"],
    ["full", "/base/ws/app/x?y", ""],
    ["strip", "/base/x?y", "/ws/app"],
  ] as const) {
    it(`is ${target} with --ws-path ${wsPath}`, () => {
      assert.strictEqual(webSocketTarget(at("http://h/base"), "/app", "/x?y", wsPath), target)
      assert.strictEqual(webSocketPrefix("/app", wsPath), prefix)
    })
  }

  it("is the stored path exactly with --ws-path strip, where the request has no path of its own", () => {
    assert.strictEqual(webSocketTarget(at("http://h/base"), "/app", "", "strip"), "/base")
    assert.strictEqual(webSocketTarget(at("http://h/base/"), "/app", "?y", "strip"), "/base/?y")
    assert.strictEqual(webSocketTarget(at("http://h"), "/app", "", "strip"), "/")
  })
})
