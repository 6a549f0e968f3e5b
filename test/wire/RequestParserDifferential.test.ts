import { expect, it } from "@effect/vitest"
import { Either } from "effect"
import http from "node:http"
import { Duplex } from "node:stream"
import type { ParsedRequest } from "../../src/wire/RequestParser.js"
import { parseTarget } from "../../src/wire/Target.js"
import { makeRandom, type Random } from "../support/Random.js"
import { bodyText, chunkedText, fieldLines, trailerNames } from "./MessageCases.js"
import { readRequests } from "./RequestReading.js"

/*
 * Some thousands of connections, each with up to four requests, half of them spoiled, read by our parser and by node's
 * own HTTP server. Where node refuses, so must we, but for what is named below; what both accept, both must have read
 * the same, and as many requests of it. That we refuse what node accepts is fine, and counted.
 */

const caseCount = 6_000
const seed = 0x5eed

/** A request as one of the two readers understood it. */
interface Request {
  readonly method: string
  readonly target: string
  readonly httpVersion: string
  readonly fields: ReadonlyArray<string>
  body: string
  trailers: ReadonlyArray<string>
}

/** What a reader made of the bytes of a connection, followed by its end. */
interface Reading {
  /** Whole ones, in order. */
  readonly requests: Array<Request>
  /** What came of the bytes behind them: there are none, they are cut short, refused, or belong to nobody any more. */
  ending: "whole" | "incomplete" | "refused" | "closed"
}

interface Case {
  readonly bytes: Buffer
  /** Where the bytes are cut, ascending. */
  readonly cuts: ReadonlyArray<number>
}

const piecesOf = ({ bytes, cuts }: Case): Array<Buffer> =>
  [...cuts, bytes.length]
    .map((to, index) => bytes.subarray(index === 0 ? 0 : cuts[index - 1], to))
    .filter((piece) => piece.length > 0)

/** Whether the proxy answers 400 to a head that its parser has read. */
const isRefused = ({ framing, target }: ParsedRequest): boolean => {
  const route = parseTarget("GET", target)
  return framing.problem !== undefined || (Either.isLeft(route) && route.left._tag === "BadRequest")
}

interface OurReading extends Reading {
  /** The head that no whole request has come of. */
  readonly rest: ParsedRequest | undefined
}

/** How we read: up to the first request that is refused, or that is the last of its connection. */
const readWithOurs = (one: Case): OurReading => {
  const { parser, requests: seen } = readRequests(piecesOf(one))
  const requests: Array<Request> = []
  for (const { body, head, trailers } of seen) {
    if (isRefused(head)) return { requests, ending: "refused", rest: head }
    if (trailers === undefined)
      return { requests, ending: parser.fault === undefined ? "incomplete" : "refused", rest: head }
    const { fields, httpVersion, method, target } = head
    requests.push({ method, target, httpVersion, fields, body, trailers })
    if (!head.framing.persistent) return { requests, ending: "closed", rest: undefined }
  }
  const ending = parser.fault !== undefined ? "refused" : parser.isInHead ? "incomplete" : "whole"
  return { requests, ending, rest: undefined }
}

/** A connection that says the given pieces, and closes. */
class PlayedConnection extends Duplex {
  readonly reading: Reading = { requests: [], ending: "whole" }

  override _read(): void {}

  override _write(_chunk: unknown, _encoding: string, done: () => void): void {
    done()
  }

  /** What node's server calls on a connection that it does not keep. */
  destroySoon(): void {
    this.destroy()
  }
}

const connectionOf = (stream: unknown): PlayedConnection => {
  if (stream instanceof PlayedConnection) return stream
  throw new Error("not a connection of this test")
}

/** Node's server, which reads like ours: no upgrade, no tunnel, and a client that half-closes gets its answers. */
const makeNodeServer = (): http.Server => {
  const server = http.createServer({ maxHeaderSize: 32_768 })
  const take: http.RequestListener = (request, response) => {
    const { reading } = connectionOf(request.socket)
    let body = ""
    request.on("data", (chunk: Buffer) => (body += chunk.toString("latin1")))
    request.on("error", () => {})
    request.on("end", () => {
      reading.requests.push({
        method: request.method ?? "",
        target: request.url ?? "",
        httpVersion: request.httpVersion,
        fields: request.rawHeaders,
        body,
        trailers: request.rawTrailers,
      })
      response.end()
    })
  }
  server.on("request", take)
  server.on("checkExpectation", take)
  server.on("clientError", (error, stream) => {
    const connection = connectionOf(stream)
    const code = "code" in error && typeof error.code === "string" ? error.code : ""
    if (code === "HPE_CLOSED_CONNECTION") connection.reading.ending = "closed"
    else connection.reading.ending = code === "HPE_INVALID_EOF_STATE" ? "incomplete" : "refused"
    // What came before it is still being told.
    setImmediate(() => setImmediate(() => connection.destroy()))
  })
  // Not in the types: what `allowHalfOpen` is to a server of sockets.
  Object.assign(server, { httpAllowHalfOpen: true })
  return server
}

const readWithNode = (server: http.Server, one: Case): Promise<Reading> =>
  new Promise((resolve) => {
    const connection = new PlayedConnection()
    connection.on("error", () => {})
    connection.on("close", () => setImmediate(() => resolve(connection.reading)))
    server.emit("connection", connection)
    for (const piece of piecesOf(one)) if (!connection.destroyed) connection.push(piece)
    if (!connection.destroyed) connection.push(null)
  })

/** Names of fields. */
const fieldNames = [...trailerNames, "Cookie", "Keep-Alive", "Authorization"] as const
/** Node knows no others. */
const methods = [
  "GET",
  "GET",
  "POST",
  "PUT",
  "HEAD",
  "DELETE",
  "OPTIONS",
  "PATCH",
  "TRACE",
  "M-SEARCH",
  "QUERY",
] as const
const targets = [
  "/",
  "/a",
  "/a/b?c=d&e",
  "/a%2F/%00%zz",
  "//x/../y",
  "/a;b,c:@!$&'()*+=",
  "http://h:80/a?b",
  "/?",
  '/"<>\\^`{|}~',
] as const

const connections = [
  "keep-alive",
  "keep-alive",
  "Keep-Alive",
  "x, keep-alive",
  "Keep-Alive,x",
  "x",
  "close",
  "CLOSE",
  "x ,close",
] as const

/** A request by the rules, of any framing. */
const legalText = (random: Random): string => {
  const body = bodyText(random)
  const version = random.pick(["1.1", "1.1", "1.1", "1.1", "1.0"])
  const framing = random.pick(["length", "chunked", "none", "none"])
  const lines = fieldLines(random, 4, fieldNames)
  const put = (line: string): void => void lines.splice(random.below(lines.length + 1), 0, line)
  if (version === "1.1" || random.chance(0.5))
    put(`${random.pick(["Host", "host"])}: ${random.pick(["h", "h:80", "[::1]", ""])}`)
  // Of one that says both in HTTP/1.0, node believes "keep-alive", and we "close".
  if (random.chance(version === "1.0" ? 0.8 : 0.2)) put(`Connection: ${random.pick(connections)}`)
  if (random.chance(0.05)) put(`Expect: ${random.pick(["100-continue", "a-miracle"])}`)
  let rest = ""
  if (framing === "chunked" && version === "1.1") {
    put(`Transfer-Encoding: ${random.pick(["chunked", "Chunked"])}`)
    rest = chunkedText(random, body)
  } else if (framing === "length") {
    put(`${random.pick(["Content-Length", "content-length"])}: ${body.length}`)
    rest = body
  }
  const empty = random.chance(0.1) ? random.pick(["\r\n", "\r\n\r\n"]) : ""
  const head = lines.map((line) => `${line}\r\n`).join("")
  return `${empty}${random.pick(methods)} ${random.pick(targets)} HTTP/${version}\r\n${head}\r\n${rest}`
}

const badLines = [
  "Content-Length: 3",
  "Content-Length: 3, 3",
  "Content-Length: +3",
  "Content-Length:",
  "Content-Length: 99999999999999999999",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: gzip, chunked",
  "Transfer-Encoding: chunked, gzip",
  "Transfer-Encoding:",
  "Transfer-Encoding : chunked",
  "Host: h",
  "Host: a b",
  " folded",
  "\tfolded",
  "No-Colon",
  ": no name",
  "Sp ace: x",
  "Nul: a\0b",
  "Cr: a\rb",
  "Lf: a\nb",
  "",
] as const

/** One small harm: a byte changed, taken out or put in, a cut, or a bad line put between two lines. */
const spoil = (random: Random, text: string): string => {
  const at = random.below(text.length)
  const byte = random.pick(["\r", "\n", "\0", " ", "\t", ":", ";", ",", "0", "9", "a", "\xff", "\x7f", "H", "/"])
  switch (random.below(5)) {
    case 0:
      return text.slice(0, at) + text.slice(at + 1)
    case 1:
      return text.slice(0, at) + byte + text.slice(at)
    case 2:
      return text.slice(0, at) + byte + text.slice(at + 1)
    case 3:
      return text.slice(0, at)
    default: {
      const lineEnd = text.indexOf("\r\n", at)
      return lineEnd === -1
        ? text
        : `${text.slice(0, lineEnd + 2)}${random.pick(badLines)}\r\n${text.slice(lineEnd + 2)}`
    }
  }
}

/** Node does not take a tab behind these values for whitespace, which it is (RFC 9112 section 5.1). */
const tabs = /((?:connection|content-length|transfer-encoding):[^\r\n]*?)\t+(?=\r\n)/gi

const makeCase = (random: Random): Case => {
  let text = ""
  for (let count = random.pick([1, 1, 2, 4]); count > 0; count--) text += legalText(random)
  if (random.chance(0.5)) text = spoil(random, text)
  if (random.chance(0.1)) text = spoil(random, text)
  text = text.replace(tabs, "$1")
  const cuts = Array.from({ length: random.pick([0, 0, 1, 4]) }, () => random.below(text.length + 1)).sort(
    (a, b) => a - b,
  )
  return { bytes: Buffer.from(text, "latin1"), cuts }
}

type Verdict = "both accept" | "both refuse" | "only we refuse" | "only node refuses"

/**
 * What we pass on and node refuses: methods that it does not know, and bytes beyond ASCII in the target. Both are for the
 * session's server to judge.
 */
const isNotForNode = ({ method, target }: Pick<ParsedRequest, "method" | "target">): boolean =>
  !http.METHODS.includes(method) || /[\x80-\xff]/.test(target)

/** How we read the same when the line that the bytes stop in has ended: we judge it then, and node may have before. */
const readWithLineEnded = ({ bytes }: Case): OurReading =>
  readWithOurs({ bytes: Buffer.concat([bytes, Buffer.from("\r\n\r\n")]), cuts: [] })

/** Compares the two readings of a case; throws where they contradict each other. */
const judge = async (server: http.Server, one: Case): Promise<Verdict> => {
  const theirs = await readWithNode(server, one)
  const read = readWithOurs(one)
  const ours = read.ending === "incomplete" && theirs.ending !== "incomplete" ? readWithLineEnded(one) : read
  const endings = { ours: ours.ending, theirs: theirs.ending }
  const what = JSON.stringify({ text: one.bytes.toString("latin1"), cuts: one.cuts, ...endings })
  const both = Math.min(ours.requests.length, theirs.requests.length)
  expect(ours.requests.slice(0, both), what).toEqual(theirs.requests.slice(0, both))

  const next = ours.requests[both] ?? ours.rest
  if (theirs.ending === "refused" && next !== undefined && isNotForNode(next)) return "only node refuses"
  expect(ours.requests.length, what).toBe(both)
  if (ours.ending === "refused") return theirs.ending === "refused" ? "both refuse" : "only we refuse"
  expect(theirs.requests.length, what).toBe(both)
  if (ours.ending === "closed") expect(["closed", "whole"], what).toContain(theirs.ending)
  else expect(ours.ending, what).toBe(theirs.ending)
  return "both accept"
}

it("refuses whatever node's server refuses, and reads the rest as it does", async () => {
  const random = makeRandom(seed)
  const server = makeNodeServer()
  const counts = { "both accept": 0, "both refuse": 0, "only we refuse": 0, "only node refuses": 0 }
  for (let done = 0; done < caseCount; done += 100) {
    const cases = Array.from({ length: 100 }, () => makeCase(random))
    for (const verdict of await Promise.all(cases.map((one) => judge(server, one)))) counts[verdict]++
  }
  // The cases must be worth something: many of each kind, and few that one of us would take and the other does not.
  expect(counts["both accept"]).toBeGreaterThan(caseCount / 2)
  expect(counts["both refuse"]).toBeGreaterThan(caseCount / 8)
  expect(counts["only we refuse"]).toBeLessThan(caseCount / 20)
  expect(counts["only node refuses"]).toBeLessThan(caseCount / 50)
})
