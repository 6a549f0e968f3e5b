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

  describe("whether the client would send another request on its connection", () => {
    for (const [lines, in11, in10] of [
      [[], true, false],
      [["Connection: keep-alive"], true, true],
      [["Connection: Keep-Alive"], true, true],
      [["CONNECTION: KEEP-ALIVE"], true, true],
      [["connection:  x ,\tkeep-alive\t, y"], true, true],
      [["Connection: close"], false, false],
      [["Connection: Close"], false, false],
      [["cOnNeCtIoN: cLoSe"], false, false],
      [["Connection: ,close"], false, false],
      [["Connection: x,close"], false, false],
      [["Connection: X , CLOSE , y"], false, false],
      [["Connection: keep-alive, close"], false, false],
      [["Connection: close, keep-alive"], false, false],
      [["Connection: keep-alive", "Connection: close"], false, false],
      [["Connection: close", "Connection: keep-alive"], false, false],
      [["Connection: x", "Connection: y, keep-alive"], true, true],
      [["Connection: closed"], true, false],
      [["Connection: close-not"], true, false],
      [["Connection: clo se"], true, false],
      [['Connection: "close"'], true, false],
      [["Connection: close=1"], true, false],
      [["Connection:"], true, false],
      [["Proxy-Connection: close"], true, false],
      [["Proxy-Connection: keep-alive"], true, false],
      [["Keep-Alive: timeout=5"], true, false],
      [["X-Connectio: close"], true, false],
    ] as const) {
      it(`is said by ${lines.join(" | ") || "nothing"}: ${in11} in HTTP/1.1, ${in10} in HTTP/1.0`, () => {
        assert.strictEqual(framing(...lines).persistent, in11)
        const fields = lines.flatMap((line) => {
          const colon = line.indexOf(":")
          return [line.slice(0, colon), line.slice(colon + 1).trim()]
        })
        assert.strictEqual(requestFraming(fields, "1.0").persistent, in10)
      })
    }

    it("is never so where the head is refused", () => {
      assert.isFalse(framing("Connection: keep-alive", "Content-Length: x").persistent)
      assert.isFalse(requestFraming([], "1.1").persistent)
    })
  })

  describe("whether the client asks for a WebSocket", () => {
    for (const [lines, expected] of [
      [["Connection: Upgrade", "Upgrade: websocket"], true],
      [["upgrade: WebSocket", "connection: keep-alive, upgrade"], true],
      [["Connection: keep-alive", "Upgrade: h2c", "Upgrade: WEBSOCKET", "Connection: x,UPGRADE"], true],
      [["Connection: upgrade", "Upgrade: h2c, websocket"], true],
      [["Connection: Upgrade"], false],
      [["Upgrade: websocket"], false],
      [["Connection: keep-alive", "Upgrade: websocket"], false],
      [["Connection: Upgrade", "Upgrade: h2c"], false],
      [["Connection: Upgrade", "Upgrade: websocket/13"], false],
      [["Connection: Upgrade", "Upgrade: websockets"], false],
      [["Connection: Upgrade", "Upgrade:"], false],
      [["Connection: upgraded", "Upgrade: websocket"], false],
      [["Connection: Upgrade", "X-Upgrade: websocket"], false],
      [["Connection: websocket", "Upgrade: upgrade"], false],
    ] as const)
      it(`is said by ${lines.join(" | ")}: ${expected}`, () => assert.strictEqual(framing(...lines).upgrades, expected))

    it("is never so where the head is refused", () => {
      assert.isFalse(framing("Connection: Upgrade", "Upgrade: websocket", "Host: h").upgrades)
    })
  })

  it("reads lists of Connection and Upgrade whatever their case, order, blanks, and number of lines", () => {
    const spelled = (word: string) =>
      fc
        .array(fc.boolean(), { minLength: word.length, maxLength: word.length })
        .map((upper) =>
          [...word].map((letter, index) => (upper[index] === true ? letter.toUpperCase() : letter)).join(""),
        )
    const blank = fc.constantFrom("", " ", "\t", " \t ")
    const member = (...words: ReadonlyArray<string>) =>
      fc.tuple(blank, fc.oneof(...words.map(spelled)), blank).map((parts) => parts.join(""))
    const line = (name: string, ...words: ReadonlyArray<string>) =>
      fc.tuple(
        spelled(name),
        fc.array(member(...words), { maxLength: 4 }).map((all) => all.join(",")),
      )
    const lines = fc.array(
      fc.oneof(
        line("connection", "close", "keep-alive", "upgrade", "x", ""),
        line("connection", "keep-alive", "upgrade", "closed"),
        line("upgrade", "websocket", "h2c", "close", "websocket2"),
        line("x-connection", "close", "upgrade"),
      ),
      { maxLength: 5 },
    )
    fc.assert(
      fc.property(lines, fc.constantFrom("1.0", "1.1"), (pairs, httpVersion) => {
        const says = (name: string, word: string) =>
          pairs.some(
            ([other, value]) =>
              other.toLowerCase() === name &&
              value.split(",").some((one) => one.replace(/[ \t]/g, "").toLowerCase() === word),
          )
        const { persistent, upgrades } = requestFraming(["Host", "h", ...pairs.flat()], httpVersion)
        const keeps = httpVersion === "1.1" || says("connection", "keep-alive")
        assert.strictEqual(persistent, keeps && !says("connection", "close"))
        assert.strictEqual(upgrades, says("connection", "upgrade") && says("upgrade", "websocket"))
      }),
      { numRuns: 500 },
    )
  })
})
