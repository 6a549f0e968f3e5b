import { describe, expect, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import type { MessageLimits } from "../../src/wire/MessageParser.js"
import { type ParsedRequest, RequestParser } from "../../src/wire/RequestParser.js"
import { fairNow } from "../support/FairClock.js"
import {
  byteByByte,
  cutAt,
  latin1,
  type ReadOptions,
  readRequests,
  type RequestReading,
  type SeenRequest,
} from "./RequestReading.js"

const readText = (text: string, options: ReadOptions = {}): RequestReading => readRequests([latin1(text)], options)

const problemOf = (text: string, options: ReadOptions = {}): string | undefined =>
  readText(text, options).parser.fault?.problem

/** A request with this line and nothing but a `Host`. */
const withLine = (line: string): string => `${line}\r\nHost: h\r\n\r\n`
/** A request without content that has these field lines behind its `Host`. */
const withFields = (...lines: ReadonlyArray<string>): string =>
  `GET / HTTP/1.1\r\nHost: h\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`
const sized = (length: number | string, rest: string): string =>
  `POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${length}\r\n\r\n${rest}`
const chunked = (rest: string): string => `POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n${rest}`
const plain = withLine("GET /next HTTP/1.1")

/** The only request that was read. */
const only = ({ parser, requests }: RequestReading): SeenRequest => {
  expect(parser.fault).toBeUndefined()
  const [first, second] = requests
  if (first === undefined || second !== undefined) throw new Error(`${requests.length} requests and not one`)
  return first
}
const headOf = (text: string): ParsedRequest => only(readText(text)).head

/** Everything that must not depend on how the bytes were cut. */
const summary = ({ parser, requests, unread }: RequestReading) => ({
  requests,
  fault: parser.fault,
  isComplete: parser.isComplete,
  isInHead: parser.isInHead,
  unread: parser.fault === undefined ? unread : undefined,
})

const noMethod = "the request does not begin with a method"
const noToken = "the method is not a token and a space"
const noVersion = "the request line does not end with a space and HTTP/1.0 or HTTP/1.1"
const otherVersion = "only HTTP/1.0 and HTTP/1.1 are spoken here"
const badTarget = "the target is empty, or holds a space or a control byte"

describe("RequestParser", () => {
  describe("a plain request", () => {
    it("is told as a head that says everything", () => {
      expect(headOf("PUT /a?b HTTP/1.1\r\nhOST: h:1\r\nX-A: 1\r\ncontent-LENGTH: 0\r\nx-a: 2\r\n\r\n")).toEqual({
        method: "PUT",
        target: "/a?b",
        httpVersion: "1.1",
        fields: ["hOST", "h:1", "X-A", "1", "content-LENGTH", "0", "x-a", "2"],
        framing: {
          problem: undefined,
          host: "h:1",
          content: 0,
          expectsContinue: false,
          persistent: true,
          upgrades: false,
        },
      })
    })

    it("is followed by the next, as if nothing had been before", () => {
      const first = "POST /a HTTP/1.0\r\nTransfer: x\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi"
      const { parser, requests } = readText(first + plain)
      expect(parser.fault).toBeUndefined()
      expect(requests.map(({ body }) => body)).toEqual(["hi", ""])
      expect(requests[1]?.head).toEqual(headOf(plain))
      expect(requests[1]?.head).toMatchObject({ httpVersion: "1.1", fields: ["Host", "h"] })
    })

    it("leaves its head and its fields alone when the next ones are read", () => {
      const bytes = latin1(chunked("0\r\nT: 1\r\n\r\n") + withFields("X-A: b"))
      const [first, second] = readRequests([bytes]).requests
      expect(first?.head.fields).toEqual(["Host", "h", "Transfer-Encoding", "chunked"])
      expect(first?.trailers).toEqual(["T", "1"])
      expect(second?.head.fields).toEqual(["Host", "h", "X-A", "b"])
    })

    it.each([
      "GE",
      "GET / HTTP/1.1\r\nHost: ol",
      sized(5, "he"),
      chunked("5;a"),
      chunked("0\r\nA: b\r\nB"),
      "\x16\x03",
    ])("is read from its beginning where `next` comes in the middle of another: %j", (text) => {
      const { parser } = readText(text)
      parser.next()
      expect(parser).toMatchObject({ fault: undefined, head: undefined, isInHead: false, hasStarted: false })
      expect(parser.execute(latin1(plain))).toBe(plain.length)
      expect(parser.head).toEqual(headOf(plain))
    })
  })

  describe("the method", () => {
    it.each(["GET", "PROPFIND", "M-SEARCH", "QUERY", "get", "GeT", "X", "!#$%&'*+-.^_`|~09azAZ"])(
      "may be any token: %j",
      (method) => expect(headOf(withLine(`${method} / HTTP/1.1`)).method).toBe(method),
    )

    it("may be as long as the head", () => {
      const method = "A".repeat(30_000)
      expect(headOf(withLine(`${method} / HTTP/1.1`)).method).toBe(method)
    })

    it("is made of the bytes of a token and of no other", () => {
      const token = /[!#$%&'*+\-.^_`|~0-9A-Za-z]/
      for (let code = 0; code < 256; code++) {
        const byte = String.fromCharCode(code)
        const problem = problemOf(withLine(`GE${byte}T / HTTP/1.1`))
        // A space ends the method, so that the target begins in its middle; a line feed ends the line.
        const expected =
          byte === " " ? badTarget : byte === "\n" ? "a line of the head ends without a carriage return" : noToken
        expect(problem, `byte ${code}`).toBe(token.test(byte) ? undefined : expected)
      }
    })

    it("is where anything else than a request is known, by its first byte", () => {
      const first = /[!#$%&'*+\-.^_`|~0-9A-Za-z\r]/
      for (let code = 0; code < 256; code++) {
        const byte = String.fromCharCode(code)
        expect(problemOf(byte), `byte ${code}`).toBe(first.test(byte) ? undefined : noMethod)
        expect(problemOf(`${byte}x`), `byte ${code}`).toBe(first.test(byte) ? undefined : noMethod)
      }
    })

    it("must be followed by one space", () => {
      expect(problemOf(withLine("GET\t/ HTTP/1.1"))).toBe(noToken)
      expect(problemOf(withLine("GET"))).toBe(noToken)
      expect(problemOf(withLine("GET/ HTTP/1.1"))).toBe(noToken)
      expect(problemOf(withLine("GET  / HTTP/1.1"))).toBe(badTarget)
      expect(problemOf(withLine(" GET / HTTP/1.1"))).toBe(noMethod)
    })
  })

  describe("the target", () => {
    it("may hold every byte but spaces and control bytes, and is told as it is", () => {
      for (let code = 0; code < 256; code++) {
        if (code === 10) continue
        const target = `/a${String.fromCharCode(code)}b`
        const isAllowed = code > 32 && code !== 127
        const reading = readText(withLine(`GET ${target} HTTP/1.1`))
        expect(reading.parser.fault?.problem, `byte ${code}`).toBe(isAllowed ? undefined : badTarget)
        expect(reading.requests[0]?.head.target, `byte ${code}`).toBe(isAllowed ? target : undefined)
      }
      expect(problemOf(withLine("GET /a\nb HTTP/1.1"))).toBe("a line of the head ends without a carriage return")
    })

    it.each(["*", "/", "//", "/../%00%zz?#", "http://h/x", "h:80", "a", "\xff", "HTTP/1.1"])(
      "%j is told as it is, whatever it means",
      (target) => expect(headOf(withLine(`OPTIONS ${target} HTTP/1.1`)).target).toBe(target),
    )

    it.each([
      "GET  HTTP/1.1",
      "GET   HTTP/1.1",
      "GET / / HTTP/1.1",
      "GET /  HTTP/1.1",
      "GET /\t HTTP/1.1",
      "GET /\rx HTTP/1.1",
    ])("%j, empty or with a space in it, is a fault", (line) => expect(problemOf(withLine(line))).toBe(badTarget))
  })

  describe("the version", () => {
    it.each([
      ["HTTP/1.1", "1.1"],
      ["HTTP/1.0", "1.0"],
    ])("%s is read", (version, httpVersion) =>
      expect(headOf(withLine(`GET / ${version}`)).httpVersion).toBe(httpVersion),
    )

    it.each(["HTTP/1.2", "HTTP/1.9", "HTTP/1.x", "HTTP/1.\x80", "HTTP/1. ", "HTTP/1.\0"])(
      "%j is another version",
      (version) => expect(problemOf(withLine(`GET / ${version}`))).toBe(otherVersion),
    )

    it.each([
      "HTTP/2.0",
      "HTTP/0.9",
      "HTTP/3.1",
      "HTTP/1.10",
      "HTTP/11.1",
      "HTTP/01.1",
      "HTTP/1",
      "HTTP/1.",
      "HTTP/11",
      "http/1.1",
      "Http/1.1",
      "HTTP 1.1",
      "HTTP/1.1 ",
      " HTTP/1.1x",
      "HTTPS/1.1",
      "ICE/1.1",
      "HTTP/1,1",
      "HTTP/1.1\t",
      "HTTP/1.1\r",
      "",
    ])("%j is none", (version) => expect(problemOf(withLine(`GET / ${version}`))).toBe(noVersion))

    it("that is missing is a fault: HTTP/0.9 is not spoken", () => {
      expect(problemOf("GET /\r\n")).toBe(noVersion)
      expect(problemOf("GET HTTP/1.1\r\n")).toBe(noVersion)
      expect(problemOf("G HTTP/1.1\r\n")).toBe(noVersion)
    })

    it("must be behind a space", () => {
      expect(problemOf(withLine("GET /\tHTTP/1.1"))).toBe(noVersion)
      expect(problemOf(withLine("GET /HTTP/1.1"))).toBe(noVersion)
    })
  })

  describe("a line end", () => {
    it.each([
      "GET / HTTP/1.1\nHost: h\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: h\n\r\n",
      "GET / HTTP/1.1\r\nHost: h\r\n\n",
      "GET / HTTP/1.1\nHost: h\n\n",
    ])("without a carriage return is a fault: %j", (text) =>
      expect(problemOf(text)).toBe("a line of the head ends without a carriage return"),
    )

    it("is no carriage return alone", () => {
      expect(problemOf("GET / HTTP/1.1\rHost: h\r\n\r\n")).toBe(noVersion)
      expect(problemOf("GET / HTTP/1.1\r\r\nHost: h\r\n\r\n")).toBe(noVersion)
      expect(problemOf("GET / HTTP/1.1\r\nHost: h\rX-A: b\r\n\r\n")).toBe(
        "a carriage return stands alone in the value of a field",
      )
      expect(problemOf("GET / HTTP/1.1\r\nHost: h\r\n\r\r\n")).toBe(
        "a field name holds a byte that is not allowed in it, or no colon follows it",
      )
    })
  })

  describe("empty lines before the request line", () => {
    it.each([1, 2, 3, 4, 1000])("are passed over: %d of them", (count) => {
      const text = "\r\n".repeat(count) + plain
      expect(headOf(text)).toEqual(headOf(plain))
      expect(only(readRequests(byteByByte(latin1(text)))).head).toEqual(headOf(plain))
    })

    it("are passed over between two requests, too", () => {
      const { parser, requests } = readText(`${sized(2, "hi")}\r\n\r\n${plain}\r\n${plain}\r\n`)
      expect(parser.fault).toBeUndefined()
      expect(requests.map(({ head }) => head.target)).toEqual(["/", "/next", "/next"])
    })

    it("are no head under way, half ones neither", () => {
      for (const text of ["", "\r", "\r\n", "\r\n\r", "\r\n\r\n", `${plain}\r\n`, `${plain}\r`])
        expect(readText(text).parser.isInHead, JSON.stringify(text)).toBe(false)
    })

    it.each(["\n", "\r\n\n", "\n\r\n"])("are a fault where one has no carriage return: %j", (lines) =>
      expect(problemOf(lines + plain)).toBe(noMethod),
    )

    it.each(["\r", "\r\r\n", "\r\n\r", " \r\n", "\r\n \r\n", "\r\n\t"])("are not what is not empty: %j", (lines) =>
      expect([noMethod, noToken]).toContain(problemOf(lines + plain)),
    )

    it("count towards the limit of the head", () => {
      const limits = { maxHeadBytes: plain.length + 4 }
      expect(problemOf(`\r\n\r\n${plain}`, { limits })).toBeUndefined()
      expect(problemOf(`\r\n\r\n\r\n${plain}`, { limits })).toBe("the head of the request is too large")
      expect(problemOf("\r\n".repeat(16_384))).toBeUndefined()
      expect(problemOf("\r\n".repeat(16_385))).toBe("the head of the request is too large")
    })
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
    ])("%j is read", (line, name, value) => expect(headOf(withFields(line)).fields).toEqual(["Host", "h", name, value]))

    it("keeps order, case and duplicates, of all names", () => {
      const { fields } = headOf(withFields("B: 1", "a: 2", "b: 3", "A: 2", "B: 1", "cookie: x", "Cookie: y"))
      expect(fields.slice(2)).toEqual(["B", "1", "a", "2", "b", "3", "A", "2", "B", "1", "cookie", "x", "Cookie", "y"])
    })

    it.each([
      ["A : b", "whitespace stands between a field name and its colon"],
      ["A\t: b", "whitespace stands between a field name and its colon"],
      [": b", "a field has no name"],
      [" A: b", "a field line is folded, or begins with whitespace"],
      ["A: b\r\n c", "a field line is folded, or begins with whitespace"],
      ["A: b\r\n\tc", "a field line is folded, or begins with whitespace"],
      ["A: b\r\n ", "a field line is folded, or begins with whitespace"],
      ["A", "a field name holds a byte that is not allowed in it, or no colon follows it"],
      ["A(): b", "a field name holds a byte that is not allowed in it, or no colon follows it"],
      ["Caf\xe9: b", "a field name holds a byte that is not allowed in it, or no colon follows it"],
      ["A\0: b", "a field name holds a byte that is not allowed in it, or no colon follows it"],
      ["A: b\0c", "a control byte stands in the value of a field"],
      ["A: b\x7fc", "a control byte stands in the value of a field"],
      ["A: b\x1bc", "a control byte stands in the value of a field"],
      ["A: \x0bb", "a control byte stands in the value of a field"],
      ["A: b\x0c", "a control byte stands in the value of a field"],
      ["A: b\rContent-Length: 5", "a carriage return stands alone in the value of a field"],
      ["A: b\r", "a carriage return stands alone in the value of a field"],
      ["A: b\nB: c", "a line of the head ends without a carriage return"],
    ])("%j is a fault", (line, problem) => {
      const { parser, requests } = readText(withFields(line))
      expect(parser.fault).toEqual({ problem, kind: "protocol" })
      expect(requests).toEqual([])
    })

    it("may hold every byte in its value but control bytes", () => {
      for (let code = 0; code < 256; code++) {
        if (code === 10 || code === 13) continue
        const isAllowed = (code >= 32 && code !== 127) || code === 9
        const expected = isAllowed ? undefined : "a control byte stands in the value of a field"
        expect(problemOf(withFields(`A: x${String.fromCharCode(code)}y`)), `byte ${code}`).toBe(expected)
      }
    })

    it("on the first line of the fields may not begin with whitespace", () => {
      expect(problemOf("GET / HTTP/1.1\r\n Host: h\r\n\r\n")).toBe("a field line is folded, or begins with whitespace")
    })
  })

  describe("a head whose framing is a problem", () => {
    it.each([
      ["two framings", ["Content-Length: 5", "Transfer-Encoding: chunked"]],
      ["two lengths", ["Content-Length: 5", "Content-Length: 5"]],
      ["a length that is none", ["Content-Length: +5"]],
      ["another coding", ["Transfer-Encoding: gzip"]],
      ["two hosts", ["Host: h"]],
    ])("is read, with what is wrong, and nothing behind it is: %s", (_what, lines) => {
      const { parser, requests, unread } = readText(`${withFields(...lines)}${plain}`)
      expect(parser).toMatchObject({ fault: undefined, isComplete: false, isInHead: false })
      expect(requests.length).toBe(1)
      expect(requests[0]?.head.framing.problem).toMatch(/^(?:The|HTTP).+\.$/)
      expect(unread).toBe(plain)
    })

    it("is no request of HTTP/1.1 without a Host, nor one of HTTP/1.0 with chunks", () => {
      for (const text of ["GET / HTTP/1.1\r\n\r\n", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"]) {
        const { requests } = readText(text)
        expect(requests[0]?.head.framing.problem).toBeDefined()
      }
      expect(headOf("GET / HTTP/1.0\r\n\r\n").framing.problem).toBeUndefined()
    })
  })

  describe("content with a length", () => {
    it("is told as views of the input, never copies", () => {
      const head = latin1(sized(300_000, "x".repeat(100_000)))
      const rest = Buffer.alloc(200_000, 120)
      const pieces: Array<Buffer> = []
      const parser = new RequestParser()
      const at = parser.execute(head)
      parser.readContent({ body: (chunk) => pieces.push(chunk), end: () => {} })
      parser.execute(head.subarray(at))
      parser.execute(rest)
      expect(pieces.map((piece) => piece.length)).toEqual([100_000, 200_000])
      expect(pieces.map((piece) => piece.buffer)).toEqual([head.buffer, rest.buffer])
      expect(pieces[1]).toBe(rest)
      expect(parser.isComplete).toBe(true)
    })

    it("of 0 ends the request with its head", () => {
      const parser = new RequestParser()
      expect(parser.execute(latin1(sized(0, plain)))).toBe(sized(0, "").length)
      expect(parser).toMatchObject({ isComplete: true, fault: undefined })
    })

    it("may have leading zeros, and be the largest safe integer", () => {
      expect(only(readText(sized("005", "hello"))).body).toBe("hello")
      const { parser, requests } = readText(sized("9007199254740991", "hello"))
      expect(requests[0]?.body).toBe("hello")
      expect(parser).toMatchObject({ fault: undefined, isComplete: false })
    })

    it("belongs to a request of any method", () => {
      for (const method of ["GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "CONNECT", "X"])
        expect(only(readText(sized(2, "hi").replace("POST", method))).body).toBe("hi")
    })

    it("is not read before somebody asks for it", () => {
      const text = sized(5, "hello")
      const parser = new RequestParser()
      const size = parser.execute(latin1(text))
      expect(size).toBe(text.length - 5)
      expect(parser.execute(latin1("hello"))).toBe(0)
      expect(parser).toMatchObject({ isComplete: false, isInHead: false, fault: undefined })
      let body = ""
      parser.readContent({ body: (chunk) => (body += chunk.toString()), end: () => (body += ".") })
      expect(parser.execute(latin1("hello"))).toBe(5)
      expect(body).toBe("hello.")
      expect(parser.execute(latin1(plain))).toBe(0)
    })

    it("that is called for when there is none changes nothing", () => {
      const parser = new RequestParser()
      parser.execute(latin1(plain))
      parser.readContent({ body: () => expect.unreachable(), end: () => expect.unreachable() })
      expect(parser.isComplete).toBe(true)
      parser.next()
      expect(parser.execute(latin1(plain))).toBe(plain.length)
    })
  })

  describe("content in chunks", () => {
    it("is joined, sizes in any case, and the next request follows", () => {
      const { parser, requests } = readText(
        chunked(`5\r\nhello\r\n1A\r\n${"a".repeat(26)}\r\n00b\r\n, my world!\r\n0\r\n\r\n`) + plain,
      )
      expect(parser.fault).toBeUndefined()
      expect(requests.map(({ body, head }) => [head.target, body])).toEqual([
        ["/", `hello${"a".repeat(26)}, my world!`],
        ["/next", ""],
      ])
    })

    it.each(["5;a", "5;a=b", '5;a="b;\\"c\\"\t\xe9"', "5;a=b;c;d=e"])(
      "may have the extension of %j, which is dropped",
      (line) => expect(only(readText(chunked(`${line}\r\nhello\r\n0;last\r\n\r\n`))).body).toBe("hello"),
    )

    it("may be empty", () => expect(only(readText(chunked("0\r\n\r\n")))).toMatchObject({ body: "", trailers: [] }))

    it.each([
      ["\r\n", "a chunk has no size in hexadecimal digits"],
      ["g\r\n", "a chunk has no size in hexadecimal digits"],
      ["-5\r\n", "a chunk has no size in hexadecimal digits"],
      [" 5\r\n", "a chunk has no size in hexadecimal digits"],
      ["0x5\r\n", "what follows the size of a chunk is no extension"],
      ["5 \r\n", "what follows the size of a chunk is no extension"],
      ["5;\r\n", "what follows the size of a chunk is no extension"],
      ["5;a\rb\r\n", "what follows the size of a chunk is no extension"],
      ["5;a\0\r\n", "what follows the size of a chunk is no extension"],
      ["5\n", "a chunk-size line ends without a carriage return"],
      ["5;a\nb\r\n", "a chunk-size line ends without a carriage return"],
      ["ffffffffffffffff\r\n", "the size of a chunk is too large"],
      ["10000000000000005\r\n", "the size of a chunk is too large"],
    ])("with the size line %j is a fault", (line, problem) => {
      const { parser, requests } = readText(chunked(`${line}hello\r\n0\r\n\r\n${plain}`))
      expect(parser.fault).toEqual({ problem, kind: "protocol" })
      expect(requests.map(({ body, trailers }) => [body, trailers])).toEqual([["", undefined]])
    })

    it.each(["5\r\nhello0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5\r\nhello\r0\r\n\r\n", "4\r\nhello\r\n0\r\n\r\n"])(
      "%j, whose chunk is not followed by a line end, is a fault",
      (rest) => expect(problemOf(chunked(rest))).toBe("the data of a chunk is not followed by a line end"),
    )

    /** The pieces in which content is told, where its bytes come in these. */
    const toldOf = (...pieces: ReadonlyArray<Buffer>): ReadonlyArray<Buffer> => {
      const told: Array<Buffer> = []
      const parser = new RequestParser()
      parser.execute(latin1(chunked("")))
      parser.readContent({ body: (chunk) => told.push(chunk), end: () => told.push(latin1(".")) })
      for (const piece of pieces) parser.execute(piece)
      return told
    }
    const texts = (told: ReadonlyArray<Buffer>): ReadonlyArray<string> => told.map((piece) => piece.toString("latin1"))

    it("of many small chunks in one piece is told as one, whatever ends them", () => {
      const small = "1\r\na\r\n"
      const joined = "a".repeat(1_000)
      expect(texts(toldOf(latin1(`${small.repeat(1_000)}0\r\n\r\n`)))).toEqual([joined, "."])
      expect(texts(toldOf(latin1(small.repeat(1_000))))).toEqual([joined.slice(1), "a"])
      expect(texts(toldOf(latin1(`${small.repeat(1_000)}zz\r\n`)))).toEqual([joined])
      expect(texts(toldOf(latin1(`${small.repeat(1_000)}400`), latin1(`\r\n${"b".repeat(1_024)}\r\n`)))).toEqual([
        joined,
        "b".repeat(1_024),
      ])
    })

    it("of small and large chunks is told in order, and without a copy where a chunk has no neighbour", () => {
      const large = "c".repeat(1_024)
      const bytes = latin1(`1\r\na\r\n2\r\nbb\r\n400\r\n${large}\r\n1\r\nd\r\n400\r\n${large}\r\n3\r\neee\r\n0\r\n\r\n`)
      const told = toldOf(bytes)
      expect(texts(told)).toEqual(["abb", large, "d", large, "eee", "."])
      expect(told.slice(1, 5).every(({ buffer }) => buffer === bytes.buffer)).toBe(true)
      const alone = latin1("5\r\nhello\r\n")
      expect(toldOf(alone)[0]?.buffer).toBe(alone.buffer)
    })

    it("has trailers in order, raw, whatever they are", () => {
      const { trailers } = only(
        readText(
          chunked("2\r\nhi\r\n0\r\nX-Sum: 1\r\nHost: h\r\nx-sum:\t2 \r\nAuthorization: x\r\nTE: trailers\r\n\r\n"),
        ),
      )
      expect(trailers).toEqual(["X-Sum", "1", "Host", "h", "x-sum", "2", "Authorization", "x", "TE", "trailers"])
    })

    it.each(["Content-Length: 5", "TRANSFER-ENCODING: chunked"])("has no trailer %j: it is a fault", (line) =>
      expect(problemOf(chunked(`0\r\n${line}\r\n\r\n`))).toBe("a framing field is among the trailers"),
    )

    it.each([" X: 1", "X : 1", "X: 1\r\n folded", "X: \0", ": 1", "X", "X: 1\nY: 2", "X: 1\rY: 2", "GET / HTTP/1.1"])(
      "with the trailer line %j is a fault",
      (line) => {
        const { parser, requests } = readText(chunked(`0\r\n${line}\r\n\r\n`))
        expect(parser.fault?.kind).toBe("protocol")
        expect(requests[0]?.trailers).toBeUndefined()
      },
    )
  })

  describe("where it stops", () => {
    it("is behind a head, and behind a request: `execute` says how many bytes it took", () => {
      const head = sized(5, "")
      const text = `${head}hello${plain}`
      const bytes = latin1(text)
      const parser = new RequestParser()
      expect(parser.execute(bytes)).toBe(head.length)
      expect(parser.execute(bytes.subarray(head.length))).toBe(0)
      parser.readContent({ body: () => {}, end: () => {} })
      expect(parser.execute(bytes.subarray(head.length))).toBe(5)
      expect(parser.execute(bytes.subarray(head.length + 5))).toBe(0)
      parser.next()
      expect(parser.execute(bytes.subarray(head.length + 5))).toBe(plain.length)
      expect(parser.execute(Buffer.alloc(0))).toBe(0)
    })

    it("is where there is no more", () => {
      const parser = new RequestParser()
      for (const piece of ["GET / HT", "TP/1.1\r", "\nHost: h\r\n", "\r\n"])
        expect(parser.execute(latin1(piece))).toBe(piece.length)
      expect(parser.isComplete).toBe(true)
    })

    it("is at a fault: nothing is taken behind it, and it is the last word", () => {
      const { parser } = readText(`${withFields("A : b")}${plain}`)
      expect(parser.execute(latin1(plain))).toBe(0)
      parser.finish()
      expect(parser).toMatchObject({
        head: undefined,
        isComplete: false,
        fault: { problem: "whitespace stands between a field name and its colon", kind: "protocol" },
      })
    })

    it("may be moved on by whoever is told of the end", () => {
      const seen: Array<string | undefined> = []
      const parser = new RequestParser()
      const bytes = latin1(sized(2, "hi") + sized(3, "you") + plain)
      let at = parser.execute(bytes)
      parser.readContent({
        body: (chunk) => seen.push(chunk.toString()),
        end: () => parser.next(),
      })
      at += parser.execute(bytes.subarray(at))
      expect(seen).toEqual(["hi"])
      expect(parser.head?.framing.content).toBe(3)
      expect(bytes.toString("latin1", at)).toBe(`you${plain}`)
    })
  })

  describe("a head under way", () => {
    it("is known from its first byte to its last", () => {
      const parser = new RequestParser()
      const states = byteByByte(latin1(`\r\n${plain}`)).map((byte) => {
        parser.execute(byte)
        return parser.isInHead
      })
      expect(states).toEqual([false, false, ...Array.from({ length: plain.length - 1 }, () => true), false])
    })

    it("is not what content is, nor what follows it", () => {
      for (const text of [
        sized(5, ""),
        sized(5, "he"),
        sized(5, "hello"),
        chunked("5\r\nhe"),
        chunked("0\r\nT: 1\r\nU"),
      ])
        expect(readText(text).parser.isInHead, JSON.stringify(text)).toBe(false)
      expect(readText("\x16").parser.fault).toBeDefined()
    })
  })

  describe("the end of the connection", () => {
    it.each([
      ["", "the connection ended before any byte of the request"],
      ["\r\n", "the connection ended before the head of the request was complete"],
      ["G", "the connection ended before the head of the request was complete"],
      ["GET / HTTP/1.1\r\n", "the connection ended before the head of the request was complete"],
      ["GET / HTTP/1.1\r\nHost: h\r\n\r", "the connection ended before the head of the request was complete"],
      [sized(5, ""), "the connection ended before the body of the request was complete"],
      [sized(5, "hell"), "the connection ended before the body of the request was complete"],
      [chunked(""), "the connection ended before the body of the request was complete"],
      [chunked("5"), "the connection ended before the body of the request was complete"],
      [chunked("5\r\nhello"), "the connection ended before the body of the request was complete"],
      [chunked("5\r\nhello\r"), "the connection ended before the body of the request was complete"],
      [chunked("5\r\nhello\r\n"), "the connection ended before the body of the request was complete"],
      [chunked("0\r\nA: b\r\n"), "the connection ended before the body of the request was complete"],
    ])("after %j leaves it incomplete", (text, problem) =>
      expect(readText(text, { fin: true }).parser.fault).toEqual({ problem, kind: "incomplete" }),
    )

    it("after a whole request, or one of which nobody wants the content, is no fault", () => {
      for (const text of [plain, sized(5, "hello"), chunked("0\r\n\r\n"), sized(5, "hello")]) {
        const parser = new RequestParser()
        const bytes = latin1(text)
        const at = parser.execute(bytes)
        parser.finish()
        expect(parser.fault).toBeUndefined()
        parser.readContent({ body: () => {}, end: () => {} })
        parser.execute(bytes.subarray(at))
        parser.finish()
        expect(parser).toMatchObject({ fault: undefined, isComplete: true })
      }
    })

    it("does not replace the first fault", () => {
      expect(readText(" GET", { fin: true }).parser.fault).toEqual({ problem: noMethod, kind: "protocol" })
    })
  })

  describe("limits", () => {
    it("on the head count every byte of it, and only them, in one piece and byte by byte", () => {
      const text = withFields("A: b")
      const tooLarge = { problem: "the head of the request is too large", kind: "too large" }
      for (const pieces of [
        [latin1(text)],
        byteByByte(latin1(text)),
        byteByByte(latin1(`${text}${plain.slice(0, 9)}`)),
      ]) {
        expect(readRequests(pieces, { limits: { maxHeadBytes: text.length } }).parser.fault).toBeUndefined()
        expect(readRequests(pieces, { limits: { maxHeadBytes: text.length - 1 } }).parser.fault).toEqual(tooLarge)
      }
    })

    it("on the head are met before it has ended", () => {
      const limits = { maxHeadBytes: 64 }
      expect(problemOf("G".repeat(64), { limits })).toBeUndefined()
      expect(problemOf("G".repeat(65), { limits })).toBe("the head of the request is too large")
      expect(problemOf(`GET / HTTP/1.1\r\nA: ${"x".repeat(45)}`, { limits })).toBeUndefined()
      expect(problemOf(`GET / HTTP/1.1\r\nA: ${"x".repeat(46)}`, { limits })).toBe(
        "the head of the request is too large",
      )
    })

    it("on the head do not count content, nor the request before", () => {
      const limits = { maxHeadBytes: sized(100, "").length }
      expect(problemOf(sized(100, "x".repeat(100)).repeat(3), { limits })).toBeUndefined()
    })

    it("on the head are 32 KiB where nothing else is said, and so many fields as go into that", () => {
      const fields = Array.from({ length: 5_000 }, () => "a:")
      expect(headOf(withFields(...fields)).fields.length).toBe(10_002)
      const padding = 32_768 - withFields("A: ").length
      expect(problemOf(withFields(`A: ${"x".repeat(padding)}`))).toBeUndefined()
      expect(problemOf(withFields(`A: ${"x".repeat(padding + 1)}`))).toBe("the head of the request is too large")
    })

    it("on fields count heads and trailers apart", () => {
      const limits = { maxFields: 3 }
      expect(problemOf(withFields("A: 1", "B: 2"), { limits })).toBeUndefined()
      expect(problemOf(withFields("A: 1", "B: 2", "C: 3"), { limits })).toBe("there are too many fields")
      expect(problemOf(chunked("0\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n"), { limits })).toBeUndefined()
      expect(problemOf(chunked("0\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n"), { limits })).toBe(
        "there are too many fields",
      )
    })

    it("on chunk-size lines and on trailers hold before these have ended", () => {
      expect(problemOf(chunked("1;aaaaaaaaaaaa\r\n"), { limits: { maxChunkLine: 16 } })).toBeUndefined()
      expect(problemOf(chunked("1;aaaaaaaaaaaaaaa"), { limits: { maxChunkLine: 16 } })).toBe(
        "a chunk-size line is too long",
      )
      expect(problemOf(chunked("0".repeat(5000)))).toBe("a chunk-size line is too long")
      expect(problemOf(chunked("0\r\nA: 1\r\n\r\n"), { limits: { maxTrailerBytes: 8 } })).toBeUndefined()
      expect(problemOf(chunked("0\r\nA: 11\r\n\r\n"), { limits: { maxTrailerBytes: 8 } })).toBe(
        "the trailer section is too large",
      )
      expect(problemOf(chunked(`0\r\nA: ${"x".repeat(17_000)}`))).toBe("the trailer section is too large")
    })

    it("keep a head that comes byte by byte cheap", () => {
      const bytes = latin1(withFields(`A: ${"x".repeat(30_000)}`))
      const started = fairNow()
      expect(only(readRequests(byteByByte(bytes))).head.fields.length).toBe(4)
      expect(fairNow() - started).toBeLessThan(2000)
    })
  })

  describe("for all requests", () => {
    const tokenCharacter = fc.constantFrom(..."!#$%&'*+-.^_`|~0189azAZ")
    const token = fc.array(tokenCharacter, { minLength: 1, maxLength: 12 }).map((letters) => letters.join(""))
    const known = /^(?:content-length|transfer-encoding|connection|te|host|upgrade|trailer|expect)$/i
    const name = token.filter((text) => !known.test(text))
    const value = fc
      .array(fc.constantFrom(...'ab:;,="\\ \t\x21\x7e\x80\xff\xe9'), { maxLength: 20 })
      .map((letters) => letters.join("").replace(/^[ \t]+|[ \t]+$/g, ""))
    const fields = fc.array(fc.tuple(name, value), { maxLength: 5 })
    const target = fc
      .array(fc.constantFrom(...'/?#%.:@;ab9~"<>\\^`{|}\x80\xc3\xa9\xff'), { minLength: 1, maxLength: 20 })
      .map((letters) => letters.join(""))
    const body = fc.uint8Array({ maxLength: 120 }).map((bytes) => Buffer.from(bytes).toString("latin1"))
    const optionalSpace = fc.constantFrom("", " ", "\t", "  ")

    interface Legal {
      readonly text: string
      readonly said: {
        readonly method: string
        readonly target: string
        readonly httpVersion: string
        readonly fields: ReadonlyArray<string>
        readonly body: string
        readonly trailers: ReadonlyArray<string>
      }
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

    /** Legal requests of every framing, with what they say. */
    const legal: fc.Arbitrary<Legal> = fc
      .record({
        empty: fc.constantFrom("", "", "\r\n", "\r\n\r\n"),
        framing: fc.constantFrom("length", "chunked", "none"),
        httpVersion: fc.constantFrom("1.1", "1.1", "1.0"),
        method: fc.oneof(fc.constantFrom("GET", "POST", "HEAD", "CONNECT"), token),
        target,
        pairs: fields,
        body,
        trailers: fields,
        space: optionalSpace,
        chunkSize: fc.integer({ min: 1, max: 64 }),
        extension: fc.constantFrom("", ";a", ";a=b", ';a="\\";"'),
      })
      .map((made) => {
        const isChunked = made.framing === "chunked" && made.httpVersion === "1.1"
        const isSized = made.framing === "length"
        const framing: Array<readonly [string, string]> = isSized
          ? [["Content-Length", String(made.body.length)]]
          : isChunked
            ? [["Transfer-Encoding", "chunked"]]
            : []
        const pairs = [...made.pairs, ["Host", "h"] as const, ...framing]
        const trailers = isChunked ? made.trailers : []
        const rest = isChunked
          ? `${chunksOf(made.body, made.chunkSize, made.extension)}0\r\n${lines(trailers, made.space)}\r\n`
          : isSized
            ? made.body
            : ""
        const head = `${made.method} ${made.target} HTTP/${made.httpVersion}\r\n${lines(pairs, made.space)}\r\n`
        return {
          text: `${made.empty}${head}${rest}`,
          said: {
            method: made.method,
            target: made.target,
            httpVersion: made.httpVersion,
            fields: pairs.flat(),
            body: isChunked || isSized ? made.body : "",
            trailers: trailers.flat(),
          },
        }
      })
    const pipeline = fc.array(legal, { minLength: 1, maxLength: 4 })
    const cuts = fc.array(fc.nat(4000), { maxLength: 12 })
    const textOf = (requests: ReadonlyArray<Legal>): string => requests.map(({ text }) => text).join("")

    it("what was written is what is read", () => {
      fc.assert(
        fc.property(pipeline, cuts, (sent, places) => {
          const { parser, requests, unread } = readRequests(cutAt(latin1(textOf(sent)), places))
          expect(parser.fault).toBeUndefined()
          expect(unread).toBe("")
          expect(
            requests.map(({ body, head: { fields, httpVersion, method, target }, trailers }) => {
              return { method, target, httpVersion, fields, body, trailers }
            }),
          ).toEqual(sent.map(({ said }) => said))
        }),
        { numRuns: 400 },
      )
    })

    it("no byte behind a request is taken with it", () => {
      fc.assert(
        fc.property(legal, fc.uint8Array({ minLength: 1, maxLength: 40 }), cuts, (sent, extra, places) => {
          const parser = new RequestParser()
          let taken = 0
          let body = ""
          for (const piece of cutAt(Buffer.concat([latin1(sent.text), extra]), places)) {
            let at = parser.execute(piece)
            if (at < piece.length && !parser.isComplete) {
              parser.readContent({ body: (chunk) => (body += chunk.toString("latin1")), end: () => {} })
              at += parser.execute(piece.subarray(at))
            }
            taken += at
          }
          expect(parser).toMatchObject({ fault: undefined, isComplete: true })
          expect(taken).toBe(sent.text.length)
          expect(body).toBe(sent.said.body)
        }),
        { numRuns: 300 },
      )
    })

    it("a request cut short anywhere is incomplete, and never looks whole", () => {
      fc.assert(
        fc.property(legal, fc.nat(4000), (sent, place) => {
          const { parser, requests } = readText(sent.text.slice(0, place % sent.text.length), { fin: true })
          expect(requests.filter(({ trailers }) => trailers !== undefined)).toEqual([])
          expect(parser.fault?.kind).toBe("incomplete")
        }),
        { numRuns: 300 },
      )
    })

    /** Spoils the text at a few places with bytes that mean something to a parser. */
    const spoiled = fc
      .tuple(
        pipeline,
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
              "Connection: close\r\n",
              "GET / HTTP/1.1\r\n",
              "Host: h\r\n",
              "ffffffffffffffff",
            ),
          }),
          { minLength: 1, maxLength: 3 },
        ),
      )
      .map(([requests, edits]) => {
        let text = textOf(requests)
        for (const edit of edits) {
          const at = edit.at % (text.length + 1)
          text = text.slice(0, at) + edit.insert + text.slice(at + edit.remove)
        }
        return text
      })

    const anyBytes = fc.oneof(
      { weight: 6, arbitrary: spoiled.map(latin1) },
      { weight: 2, arbitrary: pipeline.map((requests) => latin1(textOf(requests))) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) },
      {
        weight: 1,
        arbitrary: fc
          .uint8Array({ maxLength: 100 })
          .map((bytes) => Buffer.concat([latin1("GET / HTTP/1.1\r\n"), bytes])),
      },
    )
    const anyLimits = fc.constantFrom<Partial<MessageLimits>>(
      {},
      {},
      { maxHeadBytes: 64 },
      { maxChunkLine: 16 },
      { maxHeadBytes: 16, maxChunkLine: 16, maxTrailerBytes: 12 },
      { maxFields: 2, maxTrailerBytes: 2 },
    )

    it("the way the bytes are cut changes nothing, and nothing throws", () => {
      fc.assert(
        fc.property(anyBytes, cuts, anyLimits, fc.boolean(), (bytes, places, limits, fin) => {
          const options = { limits, fin }
          const whole = summary(readRequests([bytes], options))
          expect(summary(readRequests(cutAt(bytes, places), options))).toEqual(whole)
          expect(summary(readRequests(byteByByte(bytes), options))).toEqual(whole)
        }),
        { numRuns: 2000 },
      )
    })

    it("a fault is the last word: what follows is ignored", () => {
      fc.assert(
        fc.property(spoiled, (text) => {
          const reading = readText(text)
          fc.pre(reading.parser.fault !== undefined)
          const before = structuredClone(summary(reading))
          expect(reading.parser.execute(latin1(plain))).toBe(0)
          reading.parser.finish()
          expect(summary(reading)).toEqual(before)
        }),
        { numRuns: 300 },
      )
    })
  })
})
