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
    ["https.example:8/x", false, "https.example", 8, "https.example:8", "/x"],
    ["http:9000/x", false, "http", 9000, "http:9000", "/x"],
    ["http-echo/x", false, "http-echo", 80, "http-echo", "/x"],
    ["http://h//x", false, "h", 80, "h", "//x"],
    ["http://h:/x", false, "h", 80, "h", "/x"],
    ["h_1.example:9000//x", false, "h_1.example", 9000, "h_1.example:9000", "//x"],
    [" \t\r\n\v\fhttp://h:9000/base/ \n", false, "h", 9000, "h:9000", "/base"],
    ["http://b\u00fccher.example", false, "xn--bcher-kva.example", 80, "xn--bcher-kva.example", ""],
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
    ["http://h\n/", "control"],
    ["http://h/\ud800", "Unicode"],
    ["ftp://h", "ftp"],
    ["http://h?x=1", "query"],
    ["http://h/?", "query"],
    ["http://h#x", "fragment"],
    ["http://h:0", "port is 0"],
    ["http://h:65536", "not a URL"],
    ["http://h:x", "not a URL"],
    ["http://%zz:pw@h", "percent-encoding"],
    [" \n", "empty"],
    ["\u00a0http://h", "unusual kind of space before or after"],
    ["http://h \u2003", "unusual kind of space before or after"],
    ['"http://u:p@h"', "quotation mark"],
    ["'http://h'", "quotation mark"],
    ["\u201chttp://h\u201d", "quotation mark"],
    ['http://h/x"', "quotation mark"],
    ["http:/localhost:9000", "scheme is misspelt"],
    ["http:localhost:9000", "scheme is misspelt"],
    ["http:h", "scheme is misspelt"],
    ["http:user:pw@h", "scheme is misspelt"],
    ["HTTP//h", "scheme is misspelt"],
    ["http/h", "scheme is misspelt"],
    ["http;//h", "scheme is misspelt"],
    ["http", "scheme is misspelt"],
    ["htp:/h", "scheme is misspelt"],
    ["htp//h", "scheme is misspelt"],
    ["wss:", "scheme is misspelt"],
    ["htp://h", "htp"],
    ["http:///h", "no host"],
    ["//h", "misspelt"],
    ["://h", "misspelt"],
    ["http://http://h", "two schemes"],
    ["http://https:/h", "two schemes"],
    ["http://http//h", "two schemes"],
    ["http://a,b", "its host"],
    ['http://"h', "its host"],
    ["http://h'/", "its host"],
  ] as const) {
    it(`refuses ${JSON.stringify(text)}: ${problem}`, () => {
      assert.include(problemOf(text), problem)
    })
  }

  for (const [text, is] of [
    ["http://user:pa/ss@h:80", true],
    ["http://user:pa?ss@h:80", true],
    ["http://user:pa#ss@h:80", true],
    ["user:1#2@h", true],
    ["http://user:1?2@h", true],
    ["http://h:x/", false],
    ["http://h/?q", false],
    ["http://user:pw@h/?to=a@b", false],
    ["http://user:pw@h/#a@b", false],
  ] as const) {
    it(`says ${is ? "how" : "nothing of how"} to write a password where ${JSON.stringify(text)} is refused`, () => {
      assert.strictEqual(problemOf(text).includes("(percent-encoding)"), is)
    })
  }

  it("is the same with whitespace around it, and never shows that", () => {
    const space = fc.stringOf(fc.constantFrom(..." \t\r\n\v\f"), { maxLength: 4 })
    fc.assert(
      fc.property(space, anyText, space, (before, text, after) => {
        const url = before + text + after
        assert.deepStrictEqual(parseDownstreamUrl(url), parseDownstreamUrl(text))
        assert.strictEqual(redactUrl(url), redactUrl(text))
        assert.notMatch(redactUrl(url), /^[ \t-\r]|[ \t-\r]$/)
      }),
      { numRuns: 500 },
    )
  })

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
        assert.strictEqual(parsed(`http://h/${text}`).storedPath, `/${text}`)
      }),
    )
  })
})

/** How a URL with a user and a password may be written, rightly or not, and what is shown of it. */
const shapes: ReadonlyArray<readonly [before: string, after: string, shown: string]> = [
  ["http://admin:", "@h:9000/base", "http://***@h:9000/base"],
  ["WSS://admin:", "@[::1]/", "WSS://***@[::1]/"],
  ["https://", "@h", "https://***@h"],
  ["https://:", "@h", "https://***@h"],
  ["admin:", "@h:1", "***@h:1"],
  ["", "@h", "***@h"],
  [" http://admin:", "@h", "http://***@h"],
  ["\u00a0http://admin:", "@h", "***@h"],
  ['"http://admin:', '@h"', '***@h"'],
  ["http:/admin:", "@h", "***@h"],
  ["http:admin:", "@h", "***@h"],
  ["http//admin:", "@h", "***@h"],
  ["http:\\\\admin:", "@h", "***@h"],
  ["http://http://admin:", "@h", "http://***@h"],
  ["ftp://admin:", "@h", "***@h"],
  ["http://admin:", "@h?x=1", "http://***@h?***"],
  ["http://admin:", "@", "http://***@"],
]

describe("redactUrl", () => {
  for (const [text, shown] of [
    ["http://user:pw@h:1/x", "http://***@h:1/x"],
    ["user:pw@h", "***@h"],
    ["http://a@b:c@h/", "http://***@h/"],
    ["http://h/x", "http://h/x"],
    ["http://h/a%40b", "http://h/a%40b"],
    ["http://h/x@y", "http://***@y"],
    ["http://admin:hun/ter2@h", "http://***@h"],
    ["http://admin:hun#ter2@h", "http://***@h"],
    ["http://admin:hun?ter2@h", "http://***@h"],
    ["http://admin:12/ter2@h", "http://***@h"],
    ["http://admin:hun\\ter2@h", "http://***@h"],
    ["http://admin:hun@ter2/x@h", "http://***@h"],
    ["http://admin:hun\nter2@h", "http://***@h"],
    ["http://admin:hunter2%40h", "http://***@h"],
    ["http%3A%2F%2Fadmin%3Ahunter2%2540h", "***@h"],
    ["http://admin:hunter2\uff20h", "http://***@h"],
    ["http://admin:pw@h/x?token=secret#f", "http://***@h/x?***"],
    ["http://h/?token=secret", "http://h/?***"],
    ["postgres://h/d?schema=s", "postgres://h/d?schema=s"],
  ] as const)
    it(`shows ${JSON.stringify(text)} as ${shown}`, () => {
      assert.strictEqual(redactUrl(text), shown)
    })

  it("shows the same whatever the password is, and however the rest is written", () => {
    const password = fc.oneof(
      fc.string(),
      fc.fullUnicodeString(),
      anyText,
      fc.webUrl(),
      fc.stringMatching(/^[0-9/?#@:%\\ "'-]*$/),
    )
    fc.assert(
      fc.property(fc.constantFrom(...shapes), password, ([before, after, shown], text) => {
        // What is only a scheme is no password yet.
        fc.pre(before !== "" || !/^[ \t-\r]*[a-z]+:\/\//i.test(text))
        assert.strictEqual(redactUrl(before + text + after), shown)
      }),
      { numRuns: 5_000 },
    )
  })

  it("is not undone by the words in which a URL is refused", () => {
    fc.assert(
      fc.property(fc.constantFrom(...shapes), fc.string(), ([before, after], text) => {
        // Long enough not to stand in the words by chance.
        const secret = `S3cr3t${text}S3cr3t`
        fc.pre(before !== "")
        assert.notInclude(problemOf(before + secret + after).toLowerCase(), "s3cr3t")
      }),
    )
  })
})
