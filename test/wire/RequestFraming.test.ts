import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { requestFraming } from "../../src/wire/RequestFraming.js"

const framing = (...lines: ReadonlyArray<string>) =>
  requestFraming(
    ["Host: h", ...lines].flatMap((line) => [
      line.slice(0, line.indexOf(":")),
      line.slice(line.indexOf(":") + 1).trim(),
    ]),
    "1.1",
  )

describe("requestFraming", () => {
  it("knows how much content a head announces", () => {
    assert.strictEqual(framing().content, "none")
    assert.strictEqual(framing("Content-Length: 0").content, 0)
    assert.strictEqual(framing("CONTENT-LENGTH: 0012").content, 12)
    assert.strictEqual(framing("transfer-encoding: Chunked").content, "chunked")
    assert.isTrue(framing("Expect: 100-Continue").expectsContinue)
    assert.isFalse(framing("Expect: a-miracle").expectsContinue)
    assert.strictEqual(framing().host, "h")
  })

  for (const [what, lines] of [
    ["two lengths that agree", ["Content-Length: 1", "content-length: 1"]],
    ["a list of lengths", ["Content-Length: 1, 1"]],
    ["a signed length", ["Content-Length: +1"]],
    ["a negative length", ["Content-Length: -1"]],
    ["an empty length", ["Content-Length:"]],
    ["a hexadecimal length", ["Content-Length: 0x1"]],
    ["a fraction", ["Content-Length: 1.0"]],
    ["a length beyond what can be counted", ["Content-Length: 9007199254740993"]],
    ["digits of another script", ["Content-Length: \u0661"]],
    ["both kinds of framing", ["Content-Length: 1", "Transfer-Encoding: chunked"]],
    ["chunked twice", ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]],
    ["another coding", ["Transfer-Encoding: gzip"]],
    ["another coding before chunked", ["Transfer-Encoding: gzip, chunked"]],
    ["no coding at all", ["Transfer-Encoding:"]],
    ["two hosts", ["host: h"]],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.isDefined(framing(...lines).problem)
    })
  }

  it("refuses hosts that are none, and a request without one", () => {
    for (const host of ["a b", "a/b", "a@b", "h:x", "[::1", "a\u00e9", "h:80:80"])
      assert.isDefined(requestFraming(["Host", host], "1.1").problem, host)
    for (const host of ["", "h", "h:80", "h:", "[::1]:8080", "127.0.0.1", "a%20b", "x_y"])
      assert.isUndefined(requestFraming(["Host", host], "1.1").problem, host)
    assert.isDefined(requestFraming([], "1.1").problem)
  })

  it("knows HTTP/1.0, which has no chunks and needs no host, and no other version", () => {
    assert.isUndefined(requestFraming([], "1.0").problem)
    assert.isDefined(requestFraming(["Transfer-Encoding", "chunked"], "1.0").problem)
    assert.isDefined(requestFraming(["Host", "h"], "2.0").problem)
  })

  it("says of any fields what content there is, or what is wrong, never both kinds of framing", () => {
    const name = fc.constantFrom("Content-Length", "content-LENGTH", "Transfer-Encoding", "Host", "Expect", "X")
    const value = fc.constantFrom("0", "5", " 5", "chunked", "Chunked", "h", "100-continue", "5,5", "")
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 5 }), (pairs) => {
        const fields = pairs.flat()
        const named = (wanted: string) => pairs.filter(([other]) => other.toLowerCase() === wanted)
        const { problem } = requestFraming(fields, "1.1")
        const lengths = named("content-length").length
        const codings = named("transfer-encoding").length
        if (lengths + codings > 1 || named("host").length !== 1) assert.isDefined(problem)
      }),
      { numRuns: 500 },
    )
  })
})
