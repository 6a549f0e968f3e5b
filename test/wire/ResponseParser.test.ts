import { describe, expect, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import {
  type ParsedHead,
  type ParserLimits,
  type ResponseHandler,
  ResponseParser,
} from "../../src/wire/ResponseParser.js"
import { fairNow } from "../support/FairClock.js"

/** What a handler was told, with body pieces joined. */
interface Heard {
  readonly interim: Array<ParsedHead>
  head: ParsedHead | undefined
  body: string
  trailers: ReadonlyArray<string> | undefined
  ends: number
  readonly repairs: Array<string>
}

interface Reading {
  readonly heard: Heard
  readonly parser: ResponseParser
}

interface ReadOptions {
  readonly method?: string
  readonly limits?: Partial<ParserLimits>
  readonly lenient?: boolean
  /** Whether the peer closes after the bytes. */
  readonly fin?: boolean
}

/** Reads the pieces, one `execute` each. */
const read = (pieces: ReadonlyArray<Buffer>, options: ReadOptions = {}): Reading => {
  const heard: Heard = { interim: [], head: undefined, body: "", trailers: undefined, ends: 0, repairs: [] }
  const parser = new ResponseParser(options.limits)
  const handler: ResponseHandler = {
    informational: (head) => heard.interim.push(head),
    head: (head) => {
      if (heard.head !== undefined) throw new Error("a second head")
      heard.head = head
    },
    body: (chunk) => {
      if (heard.head === undefined || heard.ends > 0 || chunk.length === 0) throw new Error("a body piece out of place")
      heard.body += Buffer.from(chunk).toString("latin1")
    },
    end: (trailers) => {
      heard.trailers = trailers
      heard.ends++
    },
    repaired: (repair) => heard.repairs.push(repair),
  }
  parser.reset(options.method ?? "GET", handler, options.lenient)
  for (const piece of pieces) parser.execute(piece)
  if (options.fin === true) parser.finish()
  return { heard, parser }
}

const latin1 = (text: string): Buffer => Buffer.from(text, "latin1")
const readText = (text: string, options: ReadOptions = {}): Reading => read([latin1(text)], options)

const statusLine = "HTTP/1.1 200 OK\r\n"
/** A response with these field lines and no body. */
const withFields = (...lines: ReadonlyArray<string>): string =>
  `${statusLine}${lines.map((line) => `${line}\r\n`).join("")}Content-Length: 0\r\n\r\n`
const chunked = (rest: string): string => `${statusLine}Transfer-Encoding: chunked\r\n\r\n${rest}`

const problemOf = (text: string, options: ReadOptions = {}): string | undefined =>
  readText(text, options).parser.fault?.problem

/** Everything that must not depend on how the bytes were cut. */
const summary = ({ heard, parser }: Reading) => ({
  heard,
  fault: parser.fault,
  isComplete: parser.isComplete,
  isIdle: parser.isIdle,
  keepAlive: parser.keepAlive,
  keepAliveTimeout: parser.keepAliveTimeout,
  surplus: parser.surplus?.toString("latin1"),
  received: parser.bytesReceived,
})

const byteByByte = (bytes: Buffer): Array<Buffer> => Array.from(bytes, (byte) => Buffer.from([byte]))

const cutAt = (bytes: Buffer, places: ReadonlyArray<number>): Array<Buffer> => {
  const sorted = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b)
  const pieces: Array<Buffer> = []
  let from = 0
  for (const place of [...sorted, bytes.length]) {
    if (place > from) pieces.push(bytes.subarray(from, place))
    from = place
  }
  return pieces
}

describe("ResponseParser", () => {
  describe("a plain response", () => {
    it("is told as head, body, end, and leaves the connection usable", () => {
      const { heard, parser } = readText("HTTP/1.1 201 Made it\r\nX-A: 1\r\ncontent-LENGTH: 5\r\nx-a: 2\r\n\r\nhello")
      expect(heard.head).toEqual({
        status: 201,
        reason: "Made it",
        fields: ["X-A", "1", "content-LENGTH", "5", "x-a", "2"],
        minorVersion: 1,
      })
      expect(heard.body).toBe("hello")
      expect(heard.trailers).toEqual([])
      expect(heard.ends).toBe(1)
      expect(parser).toMatchObject({ isComplete: true, isIdle: true, keepAlive: true, fault: undefined })
    })

    it("is read again after reset, as if nothing had been before", () => {
      const { heard, parser } = readText("HTTP/1.0 200 OK\r\nKeep-Alive: timeout=3\r\n\r\nx", { fin: true })
      expect(heard.ends).toBe(1)
      parser.reset("GET", { informational: () => {}, head: () => {}, body: () => {}, end: () => {} })
      expect(parser).toMatchObject({ hasStarted: false, bytesReceived: 0, keepAlive: false, isIdle: false })
      parser.execute(latin1("HTTP/1.1 204 No Content\r\n\r\n"))
      expect(parser).toMatchObject({
        hasStarted: true,
        bytesReceived: 27,
        keepAlive: true,
        keepAliveTimeout: undefined,
      })
    })

    it.each(["HTTP/1.1 2", statusLine, chunked("5;a"), chunked("5\r\nhello\r"), chunked("0\r\nA: b\r\nB"), "SSH-2.0"])(
      "is read from its beginning after a reset in the middle of another: %j",
      (text) => {
        const { parser } = readText(text)
        const heads: Array<ParsedHead> = []
        parser.reset("GET", {
          informational: () => {},
          head: (head) => heads.push(head),
          body: () => {},
          end: () => {},
        })
        parser.execute(latin1(withFields().slice(0, 20)))
        parser.execute(latin1(withFields().slice(20)))
        expect(heads.map((head) => head.fields)).toEqual([["Content-Length", "0"]])
        expect(parser).toMatchObject({ fault: undefined, keepAlive: true })
      },
    )

    it("hands over the body as views of the input, never copies", () => {
      const bytes = latin1(`${statusLine}Content-Length: 300000\r\n\r\n${"x".repeat(100_000)}`)
      const rest = Buffer.alloc(200_000, 120)
      const pieces: Array<Uint8Array> = []
      const parser = new ResponseParser()
      parser.reset("GET", {
        informational: () => {},
        head: () => {},
        body: (chunk) => pieces.push(chunk),
        end: () => {},
      })
      parser.execute(bytes)
      parser.execute(rest)
      expect(pieces.map((piece) => piece.length)).toEqual([100_000, 200_000])
      expect(pieces.map((piece) => piece.buffer)).toEqual([bytes.buffer, rest.buffer])
      expect(pieces[1]).toBe(rest)
      expect(parser.isComplete).toBe(true)
    })

    it("may be followed by a reset from within its end, and by nothing of its own bytes", () => {
      const heads: Array<number> = []
      const parser = new ResponseParser()
      const ask = () =>
        parser.reset("GET", {
          informational: () => {},
          head: (head) => heads.push(head.status),
          body: () => {},
          end: ask,
        })
      ask()
      parser.execute(latin1(`${withFields()}HTTP/1.1 500 Forged\r\nContent-Length: 0\r\n\r\n`))
      expect(heads).toEqual([200])
      parser.execute(latin1(withFields()))
      expect(heads).toEqual([200, 200])
    })

    it("tells its handler about surplus no later than its end", () => {
      let keepAlive: boolean | undefined
      const parser = new ResponseParser()
      parser.reset("GET", {
        informational: () => {},
        head: () => {},
        body: () => {},
        end: () => {
          keepAlive = parser.keepAlive
        },
      })
      parser.execute(latin1(`${statusLine}Content-Length: 1\r\n\r\nxy`))
      expect(keepAlive).toBe(false)
    })
  })

  describe("the status line", () => {
    it.each([
      ["HTTP/1.1 200 OK", 200, "OK", 1],
      ["HTTP/1.0 404 Not Found", 404, "Not Found", 0],
      ["HTTP/1.1 200 ", 200, "", 1],
      ["HTTP/1.1 200", 200, "", 1],
      ["HTTP/1.1 299 \tcaf\xe9", 299, "\tcaf\xe9", 1],
      ["HTTP/1.1 999 Odd", 999, "Odd", 1],
    ] as const)("%j is read", (line, status, reason, minorVersion) => {
      const { heard, parser } = readText(`${line}\r\nContent-Length: 0\r\n\r\n`)
      expect(parser.fault).toBeUndefined()
      expect(heard.head).toMatchObject({ status, reason, minorVersion })
    })

    it.each([
      "",
      "HTTP/1.2 200 OK",
      "HTTP/2.0 200 OK",
      "HTTP/0.9 200 OK",
      "http/1.1 200 OK",
      "HTTP/1.1  200 OK",
      "HTTP/1.1\t200 OK",
      "HTTP/1.1 20 OK",
      "HTTP/1.1 2000 OK",
      "HTTP/1.1 099 OK",
      "HTTP/1.1 000 OK",
      "HTTP/1.1 2x0 OK",
      "HTTP/1.1 +20 OK",
      "HTTP/1.1 200OK",
      "HTTP/1.1 200\tOK",
      "HTTP/1.1 200 O\0K",
      "HTTP/1.1 200 O\rK",
      "HTTP/1.1 200 O\x7fK",
      "HTTP/1.1",
      "HTTP/1.1 ",
      " HTTP/1.1 200 OK",
      "ICY 200 OK",
    ])("%j is a fault", (line) => {
      const { heard, parser } = readText(`${line}\r\nContent-Length: 0\r\n\r\n`)
      expect(parser.fault?.kind).toBe("protocol")
      expect(heard.head).toBeUndefined()
      expect(parser.keepAlive).toBe(false)
    })

    it.each(["S", "SSH-2.0-OpenSSH", "HTTP/2", "\x15\x03\x03", "\n", "\rH", "\r\n\r", "\r\nS"])(
      "that begins with %j is refused before it ends",
      (text) => expect(problemOf(text)).toBe("the response does not begin with HTTP/1.0 or HTTP/1.1"),
    )
  })

  describe("a field", () => {
    it.each([
      ["A:b", "A", "b"],
      ["A: \t b \t", "A", "b"],
      ["A:", "A", ""],
      ["A: \t ", "A", ""],
      ["A: b:c , d", "A", "b:c , d"],
      ["A: x\ty", "A", "x\ty"],
      ["A: caf\xe9\x80\xff", "A", "caf\xe9\x80\xff"],
      ["!#$%&'*+-.^_`|~09azAZ: v", "!#$%&'*+-.^_`|~09azAZ", "v"],
      ["__proto__: v", "__proto__", "v"],
    ])("%j is read", (line, name, value) => {
      const { heard, parser } = readText(withFields(line))
      expect(parser.fault).toBeUndefined()
      expect(heard.head?.fields.slice(0, 2)).toEqual([name, value])
    })

    it.each(["A : b", "A\t: b", "A \t : b"])("%j loses what stands before its colon", (line) => {
      expect(readText(withFields(line)).heard.head?.fields.slice(0, 2)).toEqual(["A", "b"])
    })

    it("that frames the response does so with blanks before its colon, too", () => {
      expect(readText(`${statusLine}Content-Length : 5\r\n\r\nhello`).heard).toMatchObject({ body: "hello", ends: 1 })
      expect(problemOf(`${statusLine}Content-Length: 5\r\nTransfer-Encoding : chunked\r\n\r\n`)).toBe(
        "Content-Length and Transfer-Encoding are both there",
      )
    })

    it.each([
      [": b", "a field has no name"],
      ["A  b: c", "whitespace stands between a field name and its colon"],
      ["A ", "whitespace stands between a field name and its colon"],
      [" A: b", "a field line is folded, or begins with whitespace"],
      ["A: b\r\n c", "a field line is folded, or begins with whitespace"],
      ["A: b\r\n\tc", "a field line is folded, or begins with whitespace"],
      ["A", "a field name holds a byte that is not allowed in it, or no colon follows it"],
      ["A(): b", "a field name holds a byte that is not allowed in it, or no colon follows it"],
      ["Caf\xe9: b", "a field name holds a byte that is not allowed in it, or no colon follows it"],
      ["A\0: b", "a field name holds a byte that is not allowed in it, or no colon follows it"],
      ["A: b\0c", "a control byte stands in the value of a field"],
      ["A: b\x7fc", "a control byte stands in the value of a field"],
      ["A: b\x1bc", "a control byte stands in the value of a field"],
      ["A: b\rContent-Length: 5", "a carriage return stands alone in the value of a field"],
      ["A: b\r", "a carriage return stands alone in the value of a field"],
      ["A: b\nB: c", "a line of the head ends without a carriage return"],
    ])("%j is a fault", (line, problem) => {
      const { heard, parser } = readText(withFields(line))
      expect(parser.fault).toMatchObject({ problem, kind: "protocol" })
      expect(heard.head).toBeUndefined()
    })

    it("list that ends with a bare line feed is a fault", () => {
      expect(problemOf("HTTP/1.1 200 OK\nContent-Length: 0\n\n")).toBe(
        "a line of the head ends without a carriage return",
      )
      expect(problemOf(`${statusLine}Content-Length: 0\r\n\n`)).toBe(
        "a line of the head ends without a carriage return",
      )
    })
  })

  describe("Content-Length", () => {
    it.each([
      "",
      "+5",
      "-5",
      "5 5",
      "0x5",
      "5,",
      ",5",
      "5;5",
      "5, 6",
      "5, +5",
      "5,\xa05",
      "5.0",
      "1e3",
      "five",
      "9007199254740992",
      "9".repeat(400),
    ])("%j is a fault", (value) => {
      expect(problemOf(`${statusLine}Content-Length: ${value}\r\n\r\nhello`)).toBe(
        "Content-Length is not a decimal number, or too large",
      )
    })

    it("twice with two values is a fault", () => {
      for (const values of [
        ["5", "6"],
        ["5", "5, 5", "6"],
        ["5, 5", "6, 6"],
      ])
        expect(
          problemOf(`${statusLine}${values.map((value) => `Content-Length: ${value}\r\n`).join("")}\r\nhello`),
        ).toBe("Content-Length is there more than once, with different values")
    })

    it("may have leading zeros, and be the largest safe integer", () => {
      expect(readText(`${statusLine}Content-Length: 005\r\n\r\nhello`).parser.isComplete).toBe(true)
      const { heard, parser } = readText(`${statusLine}Content-Length: 9007199254740991\r\n\r\nhello`)
      expect(heard.body).toBe("hello")
      expect(parser).toMatchObject({ fault: undefined, isComplete: false, keepAlive: false })
    })

    it("of 0 ends the message with its head", () => {
      const { heard, parser } = readText(withFields())
      expect(heard).toMatchObject({ body: "", ends: 1 })
      expect(parser.keepAlive).toBe(true)
    })

    it("not reached when the connection ends is an incomplete message", () => {
      const { heard, parser } = readText(`${statusLine}Content-Length: 6\r\n\r\nhello`, { fin: true })
      expect(heard).toMatchObject({ body: "hello", ends: 0 })
      expect(parser.fault).toEqual({
        problem: "the connection ended before the body of the response was complete",
        kind: "incomplete",
      })
    })
  })

  describe("Transfer-Encoding", () => {
    it.each(["gzip", "gzip, chunked", "chunked, gzip", "chunked, chunked", "identity", "xchunked", "chunked;q=1", ""])(
      "%j is a fault",
      (value) => {
        expect(problemOf(`${statusLine}Transfer-Encoding: ${value}\r\n\r\n0\r\n\r\n`)).toBe(
          "Transfer-Encoding is something else than chunked",
        )
      },
    )

    it("is read whatever its case", () => {
      expect(readText(`${statusLine}tRANSFER-eNCODING: ChunKed\r\n\r\n0\r\n\r\n`).parser.keepAlive).toBe(true)
    })

    it("twice is a fault", () => {
      expect(problemOf(`${statusLine}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`)).toBe(
        "Transfer-Encoding is there more than once",
      )
    })

    it("beside Content-Length is a fault in either order", () => {
      const lines = ["Transfer-Encoding: chunked", "Content-Length: 5"]
      for (const order of [lines, lines.toReversed()])
        expect(problemOf(`${statusLine}${order.join("\r\n")}\r\n\r\n0\r\n\r\n`)).toBe(
          "Content-Length and Transfer-Encoding are both there",
        )
    })

    it("in an HTTP/1.0 response is a fault", () => {
      expect(problemOf("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")).toBe(
        "Transfer-Encoding is in an HTTP/1.0 response",
      )
    })

    it.each([101, 204])("in a %d is nothing, and ends the use of the connection", (status) => {
      const { heard, parser } = readText(`HTTP/1.1 ${status} X\r\nTransfer-Encoding: chunked\r\n\r\n`)
      expect(heard).toMatchObject({ body: "", ends: 1 })
      expect(parser.keepAlive).toBe(false)
    })
  })

  describe("that takes a server leniently", () => {
    it.each([
      ["a bare CR in a value", withFields("A: b\rc")],
      ["two CR before a line feed", withFields("A: b\r")],
      ["a bare CR as line end", `HTTP/1.1 200 OK\rContent-Length: 0\r\n\r\n`],
      ["NUL in a value", withFields("A: b\0c")],
      ["NUL in a line that is no field", withFields("A\0: b")],
      ["a bare CR in a line that is no field", withFields("no\rfield")],
      ["NUL in a folded line", withFields("A: b", " \0")],
      ["a control byte behind a name", withFields("Content-Length\x0b: 5")],
      ["a folded Content-Length", `${statusLine}Content-Length: 5\r\n ,6\r\n\r\nhello!`],
      ["a folded second Content-Length", `${statusLine}Content-Length: 5\r\nContent-Length: 5\r\n 5\r\n\r\nhello`],
      ["a folded Transfer-Encoding", `${statusLine}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n`],
      ["lengths that differ", `${statusLine}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`],
      ["lengths that differ in a list", `${statusLine}Content-Length: 5, 6\r\n\r\nhello!`],
      ["a length that is none beside chunks", `${statusLine}Content-Length: 0x5\r\nTransfer-Encoding: chunked\r\n\r\n`],
      ["a signed length", `${statusLine}Content-Length: +5\r\n\r\nhello`],
      ["another coding", `${statusLine}Transfer-Encoding: gzip, chunked\r\n\r\n`],
      ["chunked before another coding", `${statusLine}Transfer-Encoding: chunked, identity\r\n\r\n`],
      ["identity beside chunks", `${statusLine}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n`],
      ["identity without a length", `${statusLine}Transfer-Encoding: identity\r\n\r\nhello`],
      ["chunks in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
      ["an interim response in HTTP/1.0", "HTTP/1.0 103 X\n\nHTTP/1.0 200 OK\n\n"],
      ["two empty lines before the status line", `\r\n\r\n${withFields()}`],
      ["a bare line feed before the status line", `\n${withFields()}`],
      ["a line before the status line", `no field\r\n${withFields()}`],
      ["a chunk size in a form of C", chunked("0x5\r\nhello\r\n0\r\n\r\n")],
      ["a chunk size with a sign", chunked("+5\r\nhello\r\n0\r\n\r\n")],
      ["a chunk size beyond every number", chunked("ffffffffffffffff\r\n")],
      ["a chunk size that ends with CR", chunked("5\rhello\r\n0\r\n\r\n")],
      ["a chunk that is longer than it says", chunked("2\nhello\n0\n\n")],
      ["a framing field among the trailers", chunked("0\r\nContent-Length: 5\r\n\r\n")],
      ["fields without end", `${statusLine}${"no field\n".repeat(10_000)}`],
    ])("%s is a fault nevertheless", (_, text) => {
      const { heard, parser } = readText(text, { lenient: true })
      expect(parser.fault).toBeDefined()
      expect(heard.ends).toBe(0)
      expect(parser.keepAlive).toBe(false)
    })

    it("what is folded behind a dropped line is dropped, and joined to no other field", () => {
      const { heard } = readText(withFields("A: b", "no field", " c", "D: e", " f"), { lenient: true })
      expect(heard.head?.fields).toEqual(["A", "b", "D", "e f", "Content-Length", "0"])
      expect(heard.repairs).toHaveLength(3)
    })

    it("the same repair is told once, and only the first of many", () => {
      const lines = Array.from({ length: 100 }, (_, index) => `A${index} : b`)
      expect(readText(withFields(...lines)).heard.repairs).toHaveLength(10)
      expect(readText(chunked("1 \r\na\r\n".repeat(100) + "0\r\n\r\n")).heard.repairs).toHaveLength(1)
    })

    it("lines are not dropped or joined without end", () => {
      for (const line of ["no field", " folded"]) {
        const text = withFields("A: b", ...Array.from({ length: 1_001 }, () => line))
        expect(readText(text, { lenient: true }).parser.fault?.kind).toBe("too large")
      }
    })

    it("the next response is read strictly, where that is asked for", () => {
      const { heard, parser } = readText("HTTP/1.1 200 OK\nContent-Length: 0\n\n", { lenient: true })
      expect(heard.ends).toBe(1)
      parser.reset("GET", { informational: () => {}, head: () => {}, body: () => {}, end: () => {} })
      parser.execute(latin1("HTTP/1.1 200 OK\nContent-Length: 0\n\n"))
      expect(parser.fault?.problem).toBe("a line of the head ends without a carriage return")
    })
  })

  describe("a response that ends with its head", () => {
    const misframed = [
      ["Content-Length: 0", "Transfer-Encoding: chunked"],
      ["Content-Length: 5", "content-length: 6"],
      ["Content-Length: +5"],
      ["Content-Length: 5, 6"],
      ["Content-Length: 5", "Transfer-Encoding: gzip"],
      ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked", "Content-Length: x"],
    ]
    for (const [what, start, method] of [
      ["to HEAD", statusLine, "HEAD"],
      ["with 304", "HTTP/1.1 304 Not Modified\r\n", "GET"],
      ["with 204", "HTTP/1.1 204 No Content\r\n", "GET"],
    ] as const)
      it.each(misframed)(
        `${what} does so whatever its framing fields say, and its connection is not kept: %s`,
        (...lines) => {
          const { heard, parser } = readText(`${start}A: b\r\n${lines.join("\r\n")}\r\n\r\n`, { method })
          expect(parser.fault).toBeUndefined()
          expect(heard).toMatchObject({ body: "", ends: 1 })
          expect(heard.head?.fields.filter((_, index) => index % 2 === 0)).not.toContain("Content-Length")
          expect(heard.head?.fields.slice(0, 2)).toEqual(["A", "b"])
          expect(parser.keepAlive).toBe(false)
        },
      )

    it.each([
      ["to HEAD", `${statusLine}Content-Length: 5\r\n\r\n`, "HEAD"],
      ["to HEAD, in chunks", `${statusLine}Transfer-Encoding: chunked\r\n\r\n`, "HEAD"],
      ["with 304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "GET"],
    ])("%s keeps its connection where they are plain", (_, text, method) => {
      expect(readText(text, { method }).parser.keepAlive).toBe(true)
    })
  })

  describe("a chunked body", () => {
    it("is joined from its chunks, sizes in any case, and leaves the connection usable", () => {
      const { heard, parser } = readText(
        chunked(`5\r\nhello\r\n1A\r\n${"a".repeat(26)}\r\n00b\r\n, my world!\r\n0\r\n\r\n`),
      )
      expect(heard.body).toBe(`hello${"a".repeat(26)}, my world!`)
      expect(heard.trailers).toEqual([])
      expect(parser.keepAlive).toBe(true)
    })

    it.each([
      "5;a",
      "5;a=b",
      '5;a="b;\\"c\\"\t\xe9"',
      "5;a=b;c;d=e",
      "5;" + "a".repeat(1000),
      "5   ",
      "5\t;a",
      "5 ; a = b ",
      '5 ;a\t=\t"b c" ; d',
    ])("may have the extension of %j, which is dropped with the blanks around it", (line) => {
      const { heard, parser } = readText(chunked(`${line}\r\nhello\r\n0;last\r\n\r\n`))
      expect(parser.fault).toBeUndefined()
      expect(heard.body).toBe("hello")
    })

    it.each([
      ["\r\n", "a chunk has no size in hexadecimal digits"],
      ["g\r\n", "a chunk has no size in hexadecimal digits"],
      ["-5\r\n", "a chunk has no size in hexadecimal digits"],
      [" 5\r\n", "a chunk has no size in hexadecimal digits"],
      [";a\r\n", "a chunk has no size in hexadecimal digits"],
      ["0x5\r\n", "what follows the size of a chunk is no extension"],
      ["5 5\r\n", "what follows the size of a chunk is no extension"],
      ["5 ;\r\n", "what follows the size of a chunk is no extension"],
      ["5;\r\n", "what follows the size of a chunk is no extension"],
      ["5;a=\r\n", "what follows the size of a chunk is no extension"],
      ['5;a="b\r\n', "what follows the size of a chunk is no extension"],
      ["5;a\rb\r\n", "what follows the size of a chunk is no extension"],
      ["5\r\r\n", "what follows the size of a chunk is no extension"],
      ["5;a\0\r\n", "what follows the size of a chunk is no extension"],
      ["5,5\r\n", "what follows the size of a chunk is no extension"],
      ["5\n", "a chunk-size line ends without a carriage return"],
      ["5;a\n", "a chunk-size line ends without a carriage return"],
      ["20000000000000\r\n", "the size of a chunk is too large"],
      ["ffffffffffffffff\r\n", "the size of a chunk is too large"],
      ["10000000000000005\r\n", "the size of a chunk is too large"],
    ])("with the size line %j is a fault", (line, problem) => {
      const { heard, parser } = readText(chunked(`${line}hello\r\n0\r\n\r\n`))
      expect(parser.fault).toMatchObject({ problem, kind: "protocol" })
      expect(heard).toMatchObject({ body: "", ends: 0 })
    })

    it.each(["5\r\nhello0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5\r\nhello\r0\r\n\r\n", "4\r\nhello\r\n0\r\n\r\n"])(
      "%j, whose chunk is not followed by a line end, is a fault",
      (rest) => expect(problemOf(chunked(rest))).toBe("the data of a chunk is not followed by a line end"),
    )

    it("may have a size of many leading zeros", () => {
      const { heard } = readText(chunked(`${"0".repeat(100)}5\r\nhello\r\n${"0".repeat(100)}\r\n\r\n`))
      expect(heard).toMatchObject({ body: "hello", ends: 1 })
    })

    it.each(["", "5", "5\r\n", "5\r\nhel", "5\r\nhello", "5\r\nhello\r\n", "0\r\n", "0\r\nA: b\r\n"])(
      "cut off after %j is incomplete",
      (rest) => {
        const { heard, parser } = readText(chunked(rest), { fin: true })
        expect(heard.ends).toBe(0)
        expect(parser.fault?.kind).toBe("incomplete")
      },
    )
  })

  describe("trailers", () => {
    it("are told in order, raw", () => {
      const { heard } = readText(chunked("0\r\nX-Sum: 1\r\nx-sum:\t2 \r\n\r\n"))
      expect(heard.trailers).toEqual(["X-Sum", "1", "x-sum", "2"])
      expect(heard.head?.fields).toEqual(["Transfer-Encoding", "chunked"])
    })

    it("that route, authenticate or name the coding change nothing", () => {
      const { heard, parser } = readText(
        chunked(
          "0\r\nHost: h\r\nX: 1\r\nConnection: close\r\nSET-COOKIE: a=b\r\nContent-Encoding: gzip\r\nY: 2\r\n\r\n",
        ),
      )
      expect(heard.trailers?.filter((_, index) => index % 2 === 0)).toEqual([
        "Host",
        "X",
        "Connection",
        "SET-COOKIE",
        "Content-Encoding",
        "Y",
      ])
      expect(parser.keepAlive).toBe(true)
    })

    it.each(["Content-Length: 5", "content-length: 0", "TRANSFER-ENCODING: chunked"])(
      "with the framing field %j are a fault",
      (line) => {
        const { heard, parser } = readText(chunked(`5\r\nhello\r\n0\r\n${line}\r\n\r\n`))
        expect(parser.fault?.problem).toBe("a framing field is among the trailers")
        expect(heard).toMatchObject({ body: "hello", ends: 0 })
      },
    )

    it.each([" X: 1", "X: 1\r\n folded", "X: \0", ": 1", "X", "X: 1\nY: 2", "X: 1\rY: 2"])(
      "with the line %j are a fault",
      (line) => {
        const { heard, parser } = readText(chunked(`0\r\n${line}\r\n\r\n`))
        expect(parser.fault?.kind).toBe("protocol")
        expect(heard.ends).toBe(0)
      },
    )

    it("ended by a bare line feed are a fault", () => {
      expect(problemOf(chunked("0\r\n\n"))).toBe("a line of the trailers ends without a carriage return")
    })
  })

  describe("a response without a body", () => {
    it.each([
      ["HEAD", 200, "Content-Length: 5"],
      ["HEAD", 200, "Transfer-Encoding: chunked"],
      ["HEAD", 404, "X: y"],
      ["GET", 204, "X: y"],
      ["GET", 204, "Content-Length: 0"],
      ["GET", 304, "Content-Length: 5"],
      ["GET", 304, "Transfer-Encoding: chunked"],
      ["GET", 304, "X: y"],
    ])("to %s with status %d and %j ends with its head, fields kept", (method, status, line) => {
      const { heard, parser } = readText(`HTTP/1.1 ${status} X\r\n${line}\r\n\r\n`, { method })
      expect(heard).toMatchObject({ body: "", ends: 1, trailers: [] })
      expect(heard.head?.fields).toEqual(line.split(": "))
      expect(parser.keepAlive).toBe(true)
    })

    it("says so while its head is told", () => {
      const complete: Array<boolean> = []
      const parser = new ResponseParser()
      const handler = {
        informational: () => {},
        head: () => complete.push(parser.isComplete),
        body: () => {},
        end: () => {},
      }
      parser.reset("HEAD", handler)
      parser.execute(latin1(`${statusLine}Content-Length: 5\r\n\r\n`))
      parser.reset("GET", handler)
      parser.execute(latin1(`${statusLine}Content-Length: 5\r\n\r\nhello`))
      expect(complete).toEqual([true, false])
    })

    it("that is a 204 with a Content-Length is delivered, but its connection is not used again", () => {
      const { heard, parser } = readText("HTTP/1.1 204 X\r\nContent-Length: 5\r\n\r\n")
      expect(heard.ends).toBe(1)
      expect(parser).toMatchObject({ fault: undefined, keepAlive: false })
    })

    it.each(["HEAD", "GET"])("followed by one all the same is complete, with surplus (%s)", (method) => {
      const status = method === "HEAD" ? 200 : 304
      const { heard, parser } = readText(`HTTP/1.1 ${status} X\r\nContent-Length: 5\r\n\r\nhello`, { method })
      expect(heard).toMatchObject({ body: "", ends: 1 })
      expect(parser).toMatchObject({ isComplete: true, isIdle: false, keepAlive: false })
      expect(parser.surplus?.toString()).toBe("hello")
    })
  })

  describe("interim responses", () => {
    it("are told apart, and the final one follows in the same bytes", () => {
      const { heard, parser } = readText(
        `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX: y\r\n\r\n${withFields()}`,
      )
      expect(heard.interim.map((head) => [head.status, head.fields])).toEqual([
        [100, []],
        [103, ["Link", "</a>", "X", "y"]],
      ])
      expect(heard.head?.fields).toEqual(["Content-Length", "0"])
      expect(parser.keepAlive).toBe(true)
    })

    it.each(["Content-Length: 5", "Transfer-Encoding: chunked", "Content-Length: x"])(
      "have no body though they say %j, and the connection is not kept behind them",
      (line) => {
        const { heard, parser } = readText(`HTTP/1.1 103 X\r\n${line}\r\n\r\n${withFields()}`)
        expect(heard).toMatchObject({ ends: 1, body: "" })
        expect(parser.keepAlive).toBe(false)
      },
    )

    it("may say Content-Length: 0", () => {
      const { parser } = readText(`HTTP/1.1 103 X\r\nContent-Length: 0\r\n\r\n${withFields()}`)
      expect(parser.keepAlive).toBe(true)
    })

    it("that say close mean the connection, whatever the final one says", () => {
      const { heard, parser } = readText(`HTTP/1.1 103 X\r\nConnection: close\r\n\r\n${withFields()}`)
      expect(heard.ends).toBe(1)
      expect(parser.keepAlive).toBe(false)
      parser.reset("GET", { informational: () => {}, head: () => {}, body: () => {}, end: () => {} })
      parser.execute(latin1(withFields()))
      expect(parser.keepAlive).toBe(true)
    })

    it("in HTTP/1.0 are a fault, but for a 101, which old WebSocket servers send", () => {
      expect(problemOf(`HTTP/1.0 103 X\r\n\r\n${withFields()}`)).toBe("an interim response is in HTTP/1.0")
      expect(readText("HTTP/1.0 101 X\r\nUpgrade: websocket\r\n\r\n").parser.isComplete).toBe(true)
    })

    it("without end are a fault", () => {
      const interim = "HTTP/1.1 102 Processing\r\n\r\n"
      expect(problemOf(interim.repeat(3) + withFields(), { limits: { maxInformational: 3 } })).toBeUndefined()
      expect(problemOf(interim.repeat(4) + withFields(), { limits: { maxInformational: 3 } })).toBe(
        "there are too many interim responses",
      )
    })

    it("are not a response: a connection that ends after them is incomplete", () => {
      const { parser } = readText("HTTP/1.1 100 Continue\r\n\r\n", { fin: true })
      expect(parser.fault).toEqual({
        problem: "the connection ended before the head of the response was complete",
        kind: "incomplete",
      })
    })
  })

  describe("a tunnel", () => {
    const switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

    it("begins after a 101, and its first bytes are the surplus", () => {
      const { heard, parser } = readText(`${switching}\x81\x02hi`)
      expect(heard.interim).toEqual([])
      expect(heard.head?.status).toBe(101)
      expect(heard.ends).toBe(1)
      expect(parser.surplus).toEqual(latin1("\x81\x02hi"))
      expect(parser).toMatchObject({ fault: undefined, isComplete: true, keepAlive: false })
    })

    it("takes the connection even where nothing follows yet", () => {
      const { parser } = readText(switching)
      expect(parser).toMatchObject({ isComplete: true, surplus: undefined, keepAlive: false })
    })

    it("is known with its surplus while the head is told", () => {
      let surplus: Buffer | undefined
      const parser = new ResponseParser()
      parser.reset("GET", {
        informational: () => {},
        head: () => {
          surplus = parser.surplus
        },
        body: () => {},
        end: () => {},
      })
      parser.execute(latin1(`${switching}ab`))
      expect(surplus).toEqual(latin1("ab"))
    })

    it("keeps its surplus when the memory it came in is used again", () => {
      const bytes = latin1(`${switching}ab`)
      const { parser } = read([bytes])
      bytes.fill(0)
      parser.execute(latin1("cd"))
      expect(parser.surplus?.toString()).toBe("abcd")
    })

    it("begins after a 2xx to CONNECT, whatever its framing fields say, and after no other status", () => {
      const { heard, parser } = readText(`${statusLine}Content-Length: 2\r\n\r\nhi`, { method: "CONNECT" })
      expect(heard).toMatchObject({ body: "", ends: 1 })
      expect(parser.surplus?.toString()).toBe("hi")
      expect(parser.keepAlive).toBe(false)
      const refused = readText("HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nhi", { method: "CONNECT" })
      expect(refused.heard.body).toBe("hi")
      expect(refused.parser.keepAlive).toBe(true)
    })
  })

  describe("the end of the connection", () => {
    it("ends a body with no framing, whose connection is never kept", () => {
      const open = readText(`${statusLine}Connection: keep-alive\r\n\r\nhel`)
      expect(open.heard.ends).toBe(0)
      expect(open.parser).toMatchObject({ isComplete: false, keepAlive: false })
      open.parser.execute(latin1("lo"))
      open.parser.finish()
      expect(open.heard).toMatchObject({ body: "hello", ends: 1, trailers: [] })
      expect(open.parser).toMatchObject({ fault: undefined, isComplete: true, keepAlive: false })
    })

    it("is known to whom the end of such a body is told", () => {
      let keepAlive: boolean | undefined
      const parser = new ResponseParser()
      parser.reset("GET", {
        informational: () => {},
        head: () => {},
        body: () => {},
        end: () => {
          keepAlive = parser.keepAlive
        },
      })
      parser.execute(latin1(`${statusLine}\r\nx`))
      parser.finish()
      expect(keepAlive).toBe(false)
    })

    it.each([
      ["", "the connection ended before any byte of the response"],
      ["HTTP/1.1 2", "the connection ended before the head of the response was complete"],
      [`${statusLine}A: b\r\n`, "the connection ended before the head of the response was complete"],
      [`${statusLine}A: b\r\n\r`, "the connection ended before the head of the response was complete"],
    ])("after %j is an incomplete message", (text, problem) => {
      expect(readText(text, { fin: true }).parser.fault).toEqual({ problem, kind: "incomplete" })
    })

    it("after a complete message is no fault, but the connection is gone", () => {
      const { heard, parser } = readText(withFields(), { fin: true })
      expect(heard.ends).toBe(1)
      expect(parser).toMatchObject({ fault: undefined, isComplete: true, keepAlive: false })
    })

    it("does not replace the first fault", () => {
      const { parser } = readText("SSH-2.0", { fin: true })
      expect(parser.fault?.kind).toBe("protocol")
    })
  })

  describe("keeping the connection", () => {
    it.each([
      ["HTTP/1.1", [], true],
      ["HTTP/1.1", ["Connection: close"], false],
      ["HTTP/1.1", ["connection: Keep-Alive , CLOSE"], false],
      ["HTTP/1.1", ["Connection: x", "Connection: close"], false],
      ["HTTP/1.1", ["Connection: keep-alive", "Connection: close"], false],
      ["HTTP/1.1", ["Connection: closed"], true],
      ["HTTP/1.1", ["X-Connection: close"], true],
      ["HTTP/1.0", [], false],
      ["HTTP/1.0", ["Connection: keep-alive"], true],
      ["HTTP/1.0", ["Connection: x, Keep-Alive"], true],
      ["HTTP/1.0", ["Connection: keep-alive, close"], false],
    ] as const)("%s with %j: %s", (version, lines, expected) => {
      const text = withFields(...lines).replace("HTTP/1.1", version)
      expect(readText(text).parser.keepAlive).toBe(expected)
    })

    it.each([
      ["timeout=5", 5],
      ["max=100, Timeout=72", 72],
      ["timeout=5, max=100", 5],
      ["timeout=0", 0],
      ["timeout=", undefined],
      ["timeout=5s", undefined],
      ["timeout", undefined],
      ["max=100", undefined],
    ])("Keep-Alive: %s is a timeout of %s seconds", (value, seconds) => {
      expect(readText(withFields(`Keep-Alive: ${value}`)).parser.keepAliveTimeout).toBe(seconds)
    })

    it("ends with bytes that nobody asked for, before the first request and between two", () => {
      const fresh = new ResponseParser()
      expect(fresh).toMatchObject({ isIdle: true, isComplete: false, keepAlive: false, hasStarted: false })
      fresh.execute(latin1("HTTP/1.1 408 Too late\r\n\r\n"))
      expect(fresh).toMatchObject({ isIdle: false, keepAlive: false, fault: undefined })
      const { heard, parser } = readText(withFields())
      expect(parser.keepAlive).toBe(true)
      parser.execute(latin1(withFields()))
      expect(parser).toMatchObject({ isIdle: false, keepAlive: false })
      expect(heard.ends).toBe(1)
    })
  })

  describe("limits", () => {
    it("on the head count every byte of it, and only them", () => {
      const text = `${withFields("A: b")}`
      expect(problemOf(text, { limits: { maxHeadBytes: text.length } })).toBeUndefined()
      expect(problemOf(`${text}${"x".repeat(100)}`, { limits: { maxHeadBytes: text.length } })).toBeUndefined()
      expect(problemOf(text, { limits: { maxHeadBytes: text.length - 1 } })).toBe(
        "the head of the response is too large",
      )
      expect(problemOf(`${statusLine}A: ${"x".repeat(70_000)}`)).toBe("the head of the response is too large")
    })

    it("on fields count heads and trailers apart", () => {
      const limits = { maxFields: 2 }
      expect(problemOf(withFields("A: 1"), { limits })).toBeUndefined()
      expect(problemOf(withFields("A: 1", "B: 2"), { limits })).toBe("there are too many fields")
      expect(problemOf(chunked("0\r\nA: 1\r\nB: 2\r\n\r\n"), { limits })).toBeUndefined()
      expect(problemOf(chunked("0\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n"), { limits })).toBe("there are too many fields")
    })

    it("on chunk-size lines hold for each line, before it has ended", () => {
      const limits = { maxChunkLine: 16 }
      expect(problemOf(chunked("1;aaaaaaaaaaaa\r\nx\r\n1;aaaaaaaaaaaa\r\nx\r\n"), { limits })).toBeUndefined()
      expect(problemOf(chunked("1;aaaaaaaaaaaaaaa"), { limits })).toBe("a chunk-size line is too long")
      expect(problemOf(chunked("0".repeat(5000)))).toBe("a chunk-size line is too long")
    })

    it("on trailers count the whole section", () => {
      const limits = { maxTrailerBytes: 8 }
      expect(problemOf(chunked("0\r\nA: 1\r\n\r\n"), { limits })).toBeUndefined()
      expect(problemOf(chunked("0\r\nA: 11\r\n\r\n"), { limits })).toBe("the trailer section is too large")
    })

    it("keep a head that comes byte by byte cheap", () => {
      const text = `${statusLine}A: ${"x".repeat(60_000)}\r\nContent-Length: 0\r\n\r\n`
      const started = fairNow()
      expect(read(byteByByte(latin1(text))).parser.isComplete).toBe(true)
      expect(fairNow() - started).toBeLessThan(2000)
    })
  })

  describe("for all responses", () => {
    const tokenCharacter = fc.constantFrom(..."!#$%&'*+-.^_`|~0189azAZ")
    const name = fc
      .array(tokenCharacter, { minLength: 1, maxLength: 12 })
      .map((letters) => letters.join(""))
      .filter((text) => !/^(content-length|transfer-encoding|connection|te|host|upgrade|trailer)$/i.test(text))
    const value = fc
      .array(fc.constantFrom(...'ab:;,="\\ \t\x21\x7e\x80\xff\xe9'), { maxLength: 20 })
      .map((letters) => letters.join("").replace(/^[ \t]+|[ \t]+$/g, ""))
    const fields = fc.array(fc.tuple(name, value), { maxLength: 6 })
    const body = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString("latin1"))
    const optionalSpace = fc.constantFrom("", " ", "\t", "  ")

    interface Legal {
      readonly text: string
      readonly method: string
      readonly status: number
      readonly reason: string
      readonly fields: ReadonlyArray<string>
      readonly body: string
      readonly trailers: ReadonlyArray<string>
      readonly interim: number
      readonly fin: boolean
    }

    const lines = (pairs: ReadonlyArray<readonly [string, string]>, space: string): string =>
      pairs.map(([name, value]) => `${name}:${space}${value}${space}\r\n`).join("")

    const chunksOf = (text: string, size: number, extension: string): string => {
      let out = ""
      for (let at = 0; at < text.length; at += size) {
        const data = text.slice(at, at + size)
        out += `${data.length.toString(16)}${extension}\r\n${data}\r\n`
      }
      return out
    }

    /** Legal responses of every framing, with what they say. */
    const legal: fc.Arbitrary<Legal> = fc
      .record({
        framing: fc.constantFrom("length", "chunked", "close", "none"),
        status: fc.constantFrom(200, 201, 301, 404, 500, 599),
        reason: fc.constantFrom("OK", "", "Not Found", "caf\xe9"),
        pairs: fields,
        body,
        trailers: fields,
        space: optionalSpace,
        interim: fc.integer({ min: 0, max: 2 }),
        chunkSize: fc.integer({ min: 1, max: 64 }),
        extension: fc.constantFrom("", ";a", ";a=b", ';a="\\";"'),
      })
      .map((made) => {
        const interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(made.interim)
        const status = made.framing === "none" ? 304 : made.status
        const framing: Array<readonly [string, string]> =
          made.framing === "length"
            ? [["Content-Length", String(made.body.length)]]
            : made.framing === "chunked"
              ? [["Transfer-Encoding", "chunked"]]
              : []
        const pairs = [...made.pairs, ...framing]
        const trailers = made.framing === "chunked" ? made.trailers : []
        const rest =
          made.framing === "none"
            ? ""
            : made.framing === "chunked"
              ? `${chunksOf(made.body, made.chunkSize, made.extension)}0\r\n${lines(trailers, made.space)}\r\n`
              : made.body
        return {
          text: `${interim}HTTP/1.1 ${status} ${made.reason}\r\n${lines(pairs, made.space)}\r\n${rest}`,
          method: "GET",
          status,
          reason: made.reason,
          fields: pairs.flat(),
          body: made.framing === "none" ? "" : made.body,
          trailers: trailers.flat(),
          interim: made.interim,
          fin: made.framing === "close",
        }
      })

    const cuts = fc.array(fc.nat(4000), { maxLength: 12 })

    it("what was written is what is read", () => {
      fc.assert(
        fc.property(legal, cuts, (response, places) => {
          const { heard, parser } = read(cutAt(latin1(response.text), places), { fin: response.fin })
          expect(parser.fault).toBeUndefined()
          expect(heard.interim.length).toBe(response.interim)
          expect(heard.head).toMatchObject({
            status: response.status,
            reason: response.reason,
            fields: response.fields,
          })
          expect(heard).toMatchObject({ body: response.body, trailers: response.trailers, ends: 1 })
          expect(parser.keepAlive).toBe(!response.fin)
        }),
        { numRuns: 400 },
      )
    })

    it("nothing past the end of a message is delivered", () => {
      fc.assert(
        fc.property(
          legal.filter((response) => !response.fin),
          fc.uint8Array({ minLength: 1, maxLength: 40 }),
          cuts,
          (response, extra, places) => {
            const bytes = Buffer.concat([latin1(response.text), extra])
            const { heard, parser } = read(cutAt(bytes, places))
            expect(heard).toMatchObject({ body: response.body, trailers: response.trailers, ends: 1 })
            expect(parser.surplus).toEqual(Buffer.from(extra))
            expect(parser).toMatchObject({ keepAlive: false, fault: undefined, isComplete: true, isIdle: false })
          },
        ),
        { numRuns: 300 },
      )
    })

    it("a message cut short anywhere is incomplete, and never looks whole", () => {
      fc.assert(
        fc.property(
          legal.filter((response) => !response.fin),
          fc.nat(4000),
          (response, place) => {
            const bytes = latin1(response.text)
            const { heard, parser } = read([bytes.subarray(0, place % bytes.length)], { fin: true })
            expect(heard.ends).toBe(0)
            expect(parser.fault?.kind).toBe("incomplete")
          },
        ),
        { numRuns: 300 },
      )
    })

    /** Spoils the text at a few places with bytes that mean something to a parser. */
    const spoiled = fc
      .tuple(
        legal,
        fc.array(
          fc.record({
            at: fc.nat(4000),
            remove: fc.integer({ min: 0, max: 4 }),
            insert: fc.constantFrom(
              ...'\r\n\0 \t:;,05afzHX\xe9\x7f"',
              "\r\n",
              "\r\n\r\n",
              "\r\n ",
              "Content-Length: 3\r\n",
              "Transfer-Encoding: chunked\r\n",
              "Content-Length: 3, 3\r\n",
              "Transfer-Encoding: identity\r\n",
              "no field\r\n",
              "HTTP/1.1 200 OK\r\n",
              "ffffffffffffffff",
            ),
          }),
          { minLength: 1, maxLength: 3 },
        ),
      )
      .map(([response, edits]) => {
        let text = response.text
        for (const edit of edits) {
          const at = edit.at % (text.length + 1)
          text = text.slice(0, at) + edit.insert + text.slice(at + edit.remove)
        }
        return text
      })

    const anyBytes = fc.oneof(
      { weight: 6, arbitrary: spoiled.map(latin1) },
      { weight: 2, arbitrary: legal.map((response) => latin1(response.text)) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) },
      {
        weight: 1,
        arbitrary: fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.concat([latin1(statusLine), bytes])),
      },
    )
    const anyLimits = fc.constantFrom<Partial<ParserLimits>>(
      {},
      {},
      { maxHeadBytes: 64 },
      { maxChunkLine: 16 },
      { maxHeadBytes: 16, maxChunkLine: 16, maxTrailerBytes: 12 },
      { maxFields: 2, maxInformational: 1, maxTrailerBytes: 2 },
    )

    it("the way the bytes are cut changes nothing, and nothing throws", () => {
      fc.assert(
        fc.property(
          anyBytes,
          cuts,
          anyLimits,
          fc.constantFrom("GET", "HEAD", "CONNECT"),
          fc.record({ fin: fc.boolean(), lenient: fc.boolean() }),
          (bytes, places, limits, method, more) => {
            const options = { limits, method, ...more }
            const whole = summary(read([bytes], options))
            expect(summary(read(cutAt(bytes, places), options))).toEqual(whole)
            expect(summary(read(byteByByte(bytes), options))).toEqual(whole)
          },
        ),
        { numRuns: 2000 },
      )
    })

    it("a fault is the last word: what follows is ignored", () => {
      fc.assert(
        fc.property(spoiled, (text) => {
          const reading = readText(text, { fin: true })
          fc.pre(reading.parser.fault !== undefined)
          const { heard, fault } = structuredClone(summary(reading))
          reading.parser.execute(latin1(withFields()))
          reading.parser.finish()
          expect(reading.heard).toEqual(heard)
          expect(reading.parser.fault).toEqual(fault)
        }),
        { numRuns: 300 },
      )
    })
  })
})
