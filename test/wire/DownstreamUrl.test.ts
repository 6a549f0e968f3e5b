import { assert, describe, it } from "@effect/vitest"
import { Either, FastCheck as fc } from "effect"
import { parseDownstreamUrl, redactUrl } from "../../src/wire/DownstreamUrl.js"

const parsed = (text: string) => Either.getOrThrowWith(parseDownstreamUrl(text), ({ problem }) => new Error(problem))

const problemOf = (text: string) =>
  Either.match(parseDownstreamUrl(text), { onLeft: ({ problem }) => problem, onRight: () => "none" })

/** Text as it may stand in a table: mostly URLs, and pieces of them in the wrong places. */
const anyText = fc.oneof(
  fc.string(),
  fc.fullUnicodeString(),
  fc.webUrl({ withQueryParameters: true, withFragments: true }),
  fc
    .array(
      fc.constantFrom(
        "http://",
        "wss:",
        "//",
        "/",
        "@",
        ":",
        "?",
        "#",
        "%",
        "%zz",
        "[::1]",
        "a",
        "user:pw",
        "\\",
        "8080",
        "é",
        "\ud800",
        " ",
      ),
      { maxLength: 8 },
    )
    .map((pieces) => pieces.join("")),
)

describe("parseDownstreamUrl", () => {
  for (const [text, secure, hostname, port, authority, basePath] of [
    ["http://h:9000", false, "h", 9000, "h:9000", ""],
    ["localhost:9000", false, "localhost", 9000, "localhost:9000", ""],
    ["h", false, "h", 80, "h", ""],
    ["10.0.0.1:80/", false, "10.0.0.1", 80, "10.0.0.1", ""],
    ["ws://h/base/", false, "h", 80, "h", "/base"],
    ["wss://h/base", true, "h", 443, "h", "/base"],
    ["https://h:443/a//b/../c%2f/", true, "h", 443, "h", "/a//b/../c%2f"],
    ["https://h:80", true, "h", 80, "h:80", ""],
    ["HTTP://H/", false, "h", 80, "h", ""],
    ["http://[::1]:8080/x", false, "::1", 8080, "[::1]:8080", "/x"],
    ["http://h/\u00e9", false, "h", 80, "h", "/%C3%A9"],
  ] as const) {
    it(`takes ${text} apart`, () => {
      const url = parsed(text)
      assert.deepStrictEqual(
        [url.secure, url.hostname, url.port, url.authority, url.basePath],
        [secure, hostname, port, authority, basePath],
      )
    })
  }

  for (const [text, problem] of [
    ["", "empty"],
    ["http://", "no host"],
    ["http:///path", "no host"],
    ["http://h /", "space"],
    ["http://h\\x", "backslash"],
    ["http://h\n", "control"],
    ["http://h/\ud800", "Unicode"],
    ["ftp://h", "ftp"],
    ["http://h?x=1", "query"],
    ["http://h/?", "query"],
    ["http://h#x", "fragment"],
    ["http://h:0", "port is 0"],
    ["http://h:65536", "not a URL"],
    ["http://h:x", "not a URL"],
    ["http://%zz:pw@h", "percent-encoding"],
  ] as const) {
    it(`refuses ${JSON.stringify(text)}: ${problem}`, () => {
      assert.include(problemOf(text), problem)
    })
  }

  it("makes Basic authorization of user info, decoded", () => {
    assert.strictEqual(parsed("http://us%40er:p%3Aw@h").authorization, `Basic ${btoa("us@er:p:w")}`)
    assert.strictEqual(parsed("http://user@h").authorization, `Basic ${btoa("user:")}`)
    assert.isUndefined(parsed("http://h").authorization)
  })

  it("never throws, and says nothing of a text that it refuses", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const result = parseDownstreamUrl(text)
        if (Either.isLeft(result)) return assert.match(result.left.problem, /^it\b|^its\b/)
        const { authority, basePath, hostname, port } = result.right
        assert.notStrictEqual(hostname, "")
        assert.isTrue(port > 0 && port < 65_536)
        // Both are written into a request as they are.
        assert.match(authority, /^[\x21-\x7e]+$/)
        assert.match(basePath, /^(?:\/[\x21-\x7e]*)?$/)
      }),
      { numRuns: 2_000 },
    )
  })

  it("keeps a legal path byte for byte, but for a slash at its end", () => {
    const path = fc.stringOf(fc.constantFrom(..."abz09-._~!$&'()*+,;=:@/%"), { maxLength: 20 })
    fc.assert(
      fc.property(path, (text) => {
        assert.strictEqual(parsed(`http://h/${text}`).basePath, `/${text}`.replace(/\/$/, ""))
      }),
    )
  })
})

describe("redactUrl", () => {
  it("shows the URL without its user info", () => {
    assert.strictEqual(redactUrl("http://user:pw@h:1/x@y"), "http://***@h:1/x@y")
    assert.strictEqual(redactUrl("user:pw@h"), "***@h")
    assert.strictEqual(redactUrl("http://a@b:c@h/"), "http://***@h/")
    assert.strictEqual(redactUrl("http://h/x"), "http://h/x")
  })

  it("never shows a password, wherever the parser finds one", () => {
    const secret = "S3cr3t"
    const wrapped = fc.tuple(anyText, anyText, anyText).map(([a, b, c]) => `${a}u:${secret}@${b}${c}`)
    const shaped = fc
      .tuple(fc.constantFrom("", "http://", "https://", "WS://", "wss://"), fc.webPath())
      .map(([scheme, path]) => `${scheme}u:${secret}@h${path}`)
    fc.assert(
      fc.property(fc.oneof(wrapped, shaped), (text) => {
        const result = parseDownstreamUrl(text)
        if (Either.isLeft(result) || result.right.authorization === undefined) return
        const credentials = Buffer.from(result.right.authorization.slice(6), "base64").toString()
        if (credentials.includes(secret)) assert.notInclude(redactUrl(text), secret)
      }),
      { numRuns: 1_000 },
    )
  })
})
