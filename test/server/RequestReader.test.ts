import { assert, describe, it } from "@effect/vitest"
import { RequestReader } from "../../src/server/RequestReader.js"
import type { BodyHandler, ParserFault } from "../../src/wire/MessageParser.js"
import type { ParsedRequest } from "../../src/wire/RequestParser.js"
import { fairNow } from "../support/FairClock.js"

const latin1 = (text: string): Buffer => Buffer.from(text, "latin1")
const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: h\r\n\r\n`
const post = (target: string, body: string): string =>
  `POST ${target} HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n${body}`
const chunked = (target: string, rest: string): string =>
  `POST ${target} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n${rest}`

/** A reader, and what its listener was told. `then` is what the listener does when it has heard of a request. */
class Listened {
  readonly heard: Array<string> = []
  readonly reader: RequestReader

  constructor(then: (request: ParsedRequest, reader: RequestReader) => void = () => {}, maxHeadBytes = 32_768) {
    const input = { stable: (bytes: Buffer) => bytes, keep: () => {} }
    this.reader = new RequestReader(maxHeadBytes, input, {
      requestRead: (request) => {
        this.heard.push(request.target)
        then(request, this.reader)
      },
      requestBroken: ({ problem }: ParserFault) => this.heard.push(`broken: ${problem}`),
    })
  }

  push(...texts: ReadonlyArray<string>): this {
    for (const text of texts) this.reader.push(latin1(text))
    return this
  }

  /** Takes content, and notes it. `each` is what happens at each piece. */
  content(each: () => void = () => {}, atEnd: () => void = () => {}): BodyHandler {
    return {
      body: (chunk) => {
        this.heard.push(chunk.toString("latin1"))
        each()
      },
      end: (trailers) => {
        this.heard.push(`end ${trailers.join()}`)
        atEnd()
      },
    }
  }
}

describe("RequestReader", () => {
  it("tells of pipelined requests one at a time, and holds the others", () => {
    const { heard, reader } = new Listened().push(get("/1") + get("/2") + get("/3"))
    assert.deepStrictEqual(heard, ["/1"])
    assert.strictEqual(reader.heldBytes, 2 * get("/2").length)
    reader.next()
    assert.deepStrictEqual(heard, ["/1", "/2"])
    assert.strictEqual(reader.heldBytes, get("/3").length)
    reader.next()
    reader.next()
    assert.deepStrictEqual(heard, ["/1", "/2", "/3"])
    assert.strictEqual(reader.heldBytes, 0)
  })

  it("reads them the same when they come a byte at a time, before the answer or behind it", () => {
    const text = get("/1") + post("/2", "hello") + chunked("/3", "2\r\nhi\r\n0\r\nT: 1\r\n\r\n") + get("/4")
    const expected = ["/1", "/2", ..."hello", "end ", "/3", ..."hi", "end T,1", "/4"]
    const promptly: Listened = new Listened((request, reader) =>
      request.framing.content === "none"
        ? reader.next()
        : reader.readContent(promptly.content(undefined, () => reader.next())),
    )
    promptly.push(...text)
    assert.deepStrictEqual(promptly.heard, expected)
    const late = new Listened()
    late.push(...text)
    assert.deepStrictEqual(late.heard, ["/1"])
    late.reader.next()
    late.reader.readContent(late.content())
    late.reader.next()
    late.reader.readContent(late.content())
    late.reader.next()
    assert.strictEqual(late.heard.join(""), expected.join(""))
    assert.strictEqual(late.reader.heldBytes, 0)
  })

  it("reads the next one where the end of content asks for it", () => {
    const listened: Listened = new Listened((request, reader) => {
      if (request.framing.content === "none") reader.next()
      else reader.readContent(listened.content(undefined, () => reader.next()))
    })
    listened.push(get("/1") + post("/2", "hello") + get("/3") + post("/4", "you") + get("/5"))
    assert.deepStrictEqual(listened.heard, ["/1", "/2", "hello", "end ", "/3", "/4", "you", "end ", "/5"])
  })

  it("goes through thousands that are answered at once without growing the stack, also where that is later", () => {
    const count = 20_000
    const depths = new Set<number>()
    const frames = Error.stackTraceLimit
    let left = count
    Error.stackTraceLimit = Infinity
    const listened = new Listened((_, reader) => {
      if (--left % 1_000 === 1) depths.add(new Error("here").stack?.split("\n").length ?? 0)
      if (left !== count / 2) reader.next()
    }).push(get("/").repeat(count))
    assert.strictEqual(left, count / 2)
    assert.strictEqual(depths.size, 1)
    listened.reader.next()
    Error.stackTraceLimit = frames
    assert.strictEqual(listened.heard.length, count)
    assert.strictEqual(depths.size, 2)
  })

  it("knows whether a head is under way, in what it reads and not in what it holds", () => {
    const { reader } = new Listened().push(`${get("/1")}GET /2`)
    assert.isFalse(reader.isInHead)
    reader.next()
    assert.isTrue(reader.isInHead)
    reader.push(latin1(" HTTP/1.1\r\nHost: h\r\n\r\n\r\n"))
    assert.isFalse(reader.isInHead)
    reader.next()
    assert.isFalse(reader.isInHead)
  })

  it("bounds each head by itself", () => {
    const request = get("/1")
    const { heard } = new Listened((_, reader) => reader.next(), request.length).push(request.repeat(3), get("/22"))
    assert.deepStrictEqual(heard, ["/1", "/1", "/1", "broken: the head of the request is too large"])
  })

  describe("content", () => {
    it("is not read before somebody asks for it, and then what has arrived is told at once", () => {
      const listened = new Listened().push(post("/1", "hello").slice(0, -2), "l", "o")
      assert.deepStrictEqual(listened.heard, ["/1"])
      assert.strictEqual(listened.reader.heldBytes, 5)
      listened.reader.readContent(listened.content())
      assert.deepStrictEqual(listened.heard.slice(0, 1), ["/1"])
      assert.deepStrictEqual(
        listened.heard
          .slice(1)
          .join("|")
          .replace(/\|(?!end)/g, ""),
        "hello|end ",
      )
      assert.strictEqual(listened.reader.heldBytes, 0)
    })

    it("is not told while it is paused, but for the piece that is being read", () => {
      const [one, two, three] = ["a", "b", "c"].map((letter) => letter.repeat(0x1000))
      const pieces = [
        `1000\r\n${one}\r\n1000\r\n${two}\r\n`,
        `1000\r\n${three}\r\n`,
        `0\r\nT: ${"x".repeat(0x1000)}\r\n\r\n`,
      ]
      const listened = new Listened()
      listened.push(chunked("/1", ""))
      listened.reader.readContent(listened.content(() => listened.reader.pause()))
      const lengths = () => listened.heard.map((text) => text.length)
      listened.push(...pieces, get("/2"))
      assert.deepStrictEqual(lengths(), [2, 0x1000, 0x1000])
      listened.reader.resume()
      assert.deepStrictEqual(lengths(), [2, 0x1000, 0x1000, 0x1000])
      listened.reader.resume()
      assert.deepStrictEqual(listened.heard.slice(1, 4), [one, two, three])
      assert.match(listened.heard.at(-1) ?? "", /^end T,x+$/)
      listened.reader.next()
      assert.strictEqual(listened.heard.at(-1), "/2")
    })

    it("that was paused is read again by whoever asks for the next one's", () => {
      const listened = new Listened()
      listened.push(post("/1", "a"))
      listened.reader.readContent(listened.content(() => listened.reader.pause()))
      listened.push(post("/2", "b"))
      listened.reader.next()
      assert.deepStrictEqual(listened.heard, ["/1", "a", "end ", "/2"])
      listened.reader.pause()
      listened.reader.readContent(listened.content())
      assert.deepStrictEqual(listened.heard.slice(4), ["b", "end "])
    })

    it("that is malformed is told of once, and nothing behind it is read", () => {
      const listened = new Listened()
      listened.push(chunked("/1", "1\r\na\r\nzz\r\n"), get("/2"))
      listened.reader.readContent(listened.content())
      listened.push(get("/3"))
      listened.reader.resume()
      listened.reader.next()
      assert.deepStrictEqual(listened.heard, ["/1", "a", "broken: a chunk has no size in hexadecimal digits"])
    })
  })

  describe("content that nobody wants", () => {
    for (const [what, text, isAll, heard] of [
      ["of a length, all there", post("/1", "hello"), true, ["/1", "/2"]],
      ["of a length, in part", post("/1", "hello").slice(0, -1), false, ["/1"]],
      ["of a length, not yet begun", post("/1", "hello").slice(0, -5), false, ["/1"]],
      ["in chunks, all there", chunked("/1", "1\r\na\r\n0\r\nT: 1\r\n\r\n"), true, ["/1", "/2"]],
      ["in chunks, without their end", chunked("/1", "1\r\na\r\n0\r\n"), false, ["/1"]],
      ["in chunks that are none", chunked("/1", "zz\r\n"), false, ["/1"]],
    ] as const) {
      for (const pieces of [[text], [...text]]) {
        it(`is thrown away as far as it has come: ${what}, in ${pieces.length === 1 ? "a piece" : "bytes"}`, () => {
          const listened = new Listened()
          listened.push(...pieces)
          if (isAll) listened.push(get("/2"))
          assert.strictEqual(listened.reader.skipContent(), isAll)
          if (isAll) {
            assert.strictEqual(listened.reader.heldBytes, get("/2").length)
            listened.reader.next()
          } else {
            assert.strictEqual(listened.reader.heldBytes, 0)
          }
          assert.deepStrictEqual(listened.heard, [...heard])
        })
      }
    }

    it("is thrown away from within the call that tells of its request", () => {
      const skipped: Array<boolean> = []
      const { heard } = new Listened((request, reader) => {
        if (request.framing.content !== "none") skipped.push(reader.skipContent())
        reader.next()
      }).push(post("/1", "hello") + chunked("/2", "1\r\na\r\n0\r\n\r\n") + get("/3"))
      assert.deepStrictEqual(skipped, [true, true])
      assert.deepStrictEqual(heard, ["/1", "/2", "/3"])
    })
  })

  describe("what is no request", () => {
    it("is told of once, and nothing behind it is read", () => {
      const { heard, reader } = new Listened((_, own) => own.next()).push(
        `${get("/1")}GET /\0`,
        "x HTTP/1.1\r\n",
        get("/2"),
      )
      const told = ["/1", "broken: the target is empty, or holds a space or a control byte"]
      assert.deepStrictEqual(heard, told)
      reader.push(latin1(get("/3")))
      reader.resume()
      reader.next()
      assert.deepStrictEqual(heard, told)
    })

    it("is not told of before the request in front of it is answered", () => {
      const { heard, reader } = new Listened().push(`${get("/1")}\x16\x03\x01`)
      assert.deepStrictEqual(heard, ["/1"])
      reader.next()
      assert.deepStrictEqual(heard, ["/1", "broken: the request does not begin with a method"])
    })

    it("is told of as a request where only its framing is wrong, and nothing behind it is read", () => {
      const problems: Array<string | undefined> = []
      const { heard } = new Listened(({ framing }) => problems.push(framing.problem)).push(
        `POST /1 HTTP/1.1\r\nHost: h\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello${get("/2")}`,
      )
      assert.deepStrictEqual(heard, ["/1"])
      assert.deepStrictEqual(problems, ["The request has more than one Host field."])
    })
  })

  describe("stop", () => {
    it("hands over what was held, in order, and nothing is told any more", () => {
      const { heard, reader } = new Listened().push(`${get("/1")}fra`, "m", "es")
      assert.strictEqual(reader.stop().toString("latin1"), "frames")
      assert.strictEqual(reader.heldBytes, 0)
      reader.push(latin1(get("/2")))
      reader.next()
      reader.resume()
      assert.deepStrictEqual(heard, ["/1"])
    })

    it("hands over nothing where nothing was held", () => {
      const { reader } = new Listened().push(get("/1"))
      assert.strictEqual(reader.stop().length, 0)
    })

    it("hands over the same from within the call that tells of a request", () => {
      let held = ""
      const { heard, reader } = new Listened((_, own) => (held = own.stop().toString("latin1"))).push(
        `${get("/1")}frames${get("/2")}`,
      )
      assert.strictEqual(held, `frames${get("/2")}`)
      assert.deepStrictEqual(heard, ["/1"])
      assert.strictEqual(reader.heldBytes, 0)
    })

    for (const [what, body, behind] of [
      ["pieces of content", "1\r\na\r\n", ""],
      ["a fault of it", "1\r\na\r\n", "zz\r\n"],
      ["the next request", "1\r\na\r\n0\r\n\r\n", get("/2")],
    ] as const) {
      it(`from within a piece of content lets nobody hear of ${what} behind it`, () => {
        const listened = new Listened()
        listened.push(chunked("/1", ""))
        listened.reader.readContent(listened.content(() => void listened.reader.stop()))
        listened.push(body + behind, behind)
        assert.deepStrictEqual(
          listened.heard.filter((text) => !text.startsWith("end")),
          ["/1", "a"],
        )
        assert.strictEqual(listened.reader.heldBytes, 0)
      })
    }

    it("from within the end of content lets nobody hear of the next request", () => {
      const listened = new Listened()
      listened.push(post("/1", ""), post("/2", "b"))
      listened.reader.next()
      listened.reader.readContent(
        listened.content(undefined, () => {
          listened.reader.next()
          listened.reader.stop()
        }),
      )
      listened.push(get("/3"))
      assert.deepStrictEqual(listened.heard, ["/1", "/2", "b", "end "])
    })
  })

  it("takes little time for what comes byte by byte, while nobody reads it and then", () => {
    const { heard, reader } = new Listened().push(get("/1"))
    const started = fairNow()
    for (const byte of get("/x").repeat(6_000)) reader.push(Buffer.from(byte))
    while (reader.heldBytes > 0) reader.next()
    assert.strictEqual(heard.length, 6_001)
    assert.isBelow(fairNow() - started, 2_000)
  })
})
