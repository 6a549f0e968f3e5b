import { expect, it } from "@effect/vitest"
import http from "node:http"
import { Duplex } from "node:stream"
import { type ParsedHead, ResponseParser } from "../../src/wire/ResponseParser.js"
import { makeRandom } from "../support/Random.js"
import { type Case, makeCase } from "./ResponseCases.js"

/*
 * Some thousands of responses, half of them spoiled, read by our parser and by node's own client. Where node refuses,
 * so must we, but for what is named below; where both accept, both must have read the same. That we refuse what node
 * accepts is fine, and counted.
 */

const caseCount = 10_000
const seed = 0x5eed

/** What a client made of the bytes, followed by the end of the connection. */
interface Reading {
  /** Status and raw fields of every interim response. */
  readonly interim: Array<readonly [number, ReadonlyArray<string>]>
  head:
    | (Pick<ParsedHead, "status" | "reason" | "minorVersion"> & { readonly fields: ReadonlyArray<string> })
    | undefined
  body: Buffer
  trailers: ReadonlyArray<string>
  complete: boolean
}

const empty = (): Reading => ({ interim: [], head: undefined, body: Buffer.alloc(0), trailers: [], complete: false })

const piecesOf = ({ bytes, cuts }: Case): Array<Buffer> =>
  [...cuts, bytes.length]
    .map((to, index) => bytes.subarray(index === 0 ? 0 : cuts[index - 1], to))
    .filter((piece) => piece.length > 0)

interface OurReading {
  readonly reading: Reading
  readonly parser: ResponseParser
  /** What was put right. */
  readonly repairs: ReadonlyArray<string>
}

const readWithOurs = (one: Case, lenient = false): OurReading => {
  const reading = empty()
  const repairs: Array<string> = []
  const chunks: Array<Uint8Array> = []
  const parser = new ResponseParser()
  parser.reset(
    one.method,
    {
      informational: (head) => reading.interim.push([head.status, head.fields]),
      head: (head) => {
        reading.head = head
      },
      body: (chunk) => chunks.push(chunk),
      end: (trailers) => {
        reading.trailers = trailers
        reading.complete = true
      },
      repaired: (repair) => repairs.push(repair),
    },
    lenient,
  )
  for (const piece of piecesOf(one)) parser.execute(piece)
  parser.finish()
  reading.body = Buffer.concat(chunks)
  return { reading, parser, repairs }
}

/** A connection that answers whatever is asked with the given pieces, and closes. */
class PlayedConnection extends Duplex {
  private played = false

  constructor(private readonly pieces: ReadonlyArray<Buffer>) {
    super()
  }

  override _read(): void {}

  override _write(_chunk: unknown, _encoding: string, done: () => void): void {
    done()
    if (this.played) return
    this.played = true
    setImmediate(() => {
      for (const piece of this.pieces) if (!this.destroyed) this.push(piece)
      if (!this.destroyed) this.push(null)
    })
  }

  /** What node's client calls on the socket of a connection that it does not keep. */
  destroySoon(): void {
    this.destroy()
  }
}

const readWithNode = (one: Case): Promise<Reading> =>
  new Promise((resolve) => {
    const reading = empty()
    const chunks: Array<Buffer> = []
    const connection = new PlayedConnection(piecesOf(one))
    let response: http.IncomingMessage | undefined
    const request = http.request({ method: one.method, createConnection: () => connection })
    request.on("information", (info) => reading.interim.push([info.statusCode, info.rawHeaders]))
    request.on("response", (incoming) => {
      response = incoming
      reading.head = {
        status: incoming.statusCode ?? 0,
        reason: incoming.statusMessage ?? "",
        fields: incoming.rawHeaders,
        minorVersion: incoming.httpVersionMinor === 0 ? 0 : 1,
      }
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk))
      incoming.on("error", () => {})
    })
    request.on("error", () => {})
    // An interim response may have ended the request for node: everything has been told once its socket is closed.
    connection.on("close", () =>
      setImmediate(() => {
        reading.body = Buffer.concat(chunks)
        reading.trailers = response?.rawTrailers ?? []
        reading.complete = response?.complete ?? false
        resolve(reading)
      }),
    )
    request.end()
  })

type Verdict = "both accept" | "both refuse" | "only we refuse" | "only node refuses"

/**
 * What node refuses though it is legal: a tab after the number of `Content-Length` (RFC 9112 section 5.1), and a final
 * response after an interim one that says `Connection: close`.
 */
const refusedByNodeOnly = /content-length:[^\r\n]*\t\r\n|HTTP\/1\.1 1\d\d[^]*connection:[^\r\n]*close[^]*HTTP\//i

/** The same without framing fields: those of a response that was put right are not what the server said. */
const withoutFraming = (reading: Reading): Reading => ({
  ...reading,
  head: reading.head && {
    ...reading.head,
    fields: reading.head.fields.filter(
      (_, index, all) => !/^(?:content-length|transfer-encoding)$/i.test(all[index - (index % 2)] ?? ""),
    ),
  },
})

/** Compares the two readings of a case; throws where they contradict each other. */
const judge = async (one: Case): Promise<Verdict> => {
  const { parser, reading: ours, repairs } = readWithOurs(one)
  // Bytes after the message are the next caller's trouble: node is asked about the message without them.
  const surplus = parser.surplus?.length ?? 0
  const end = one.bytes.length - surplus
  const theirs = await readWithNode({
    ...one,
    bytes: one.bytes.subarray(0, end),
    cuts: one.cuts.filter((at) => at < end),
  })
  const what = JSON.stringify({ method: one.method, text: one.bytes.toString("latin1"), cuts: one.cuts, repairs })
  expect(ours.complete, what).toBe(parser.fault === undefined)
  if (!ours.complete) return theirs.complete ? "only we refuse" : "both refuse"
  if (!theirs.complete && (repairs.length > 0 || refusedByNodeOnly.test(one.bytes.toString("latin1"))))
    return "only node refuses"
  if (repairs.length === 0) expect(theirs, what).toEqual(ours)
  else expect(withoutFraming(theirs), what).toEqual(withoutFraming(ours))
  return "both accept"
}

it("refuses whatever node's client refuses, and reads the rest as it does", async () => {
  const random = makeRandom(seed)
  const counts = { "both accept": 0, "both refuse": 0, "only we refuse": 0, "only node refuses": 0 }
  for (let done = 0; done < caseCount; done += 100) {
    const cases = Array.from({ length: 100 }, () => makeCase(random))
    for (const verdict of await Promise.all(cases.map(judge))) counts[verdict]++
  }
  // The cases must be worth something: many of each kind, and few that node would take and we do not.
  expect(counts["both accept"]).toBeGreaterThan(caseCount / 2)
  expect(counts["both refuse"]).toBeGreaterThan(caseCount / 8)
  expect(counts["only we refuse"]).toBeLessThan(caseCount / 20)
  expect(counts["only node refuses"]).toBeLessThan(caseCount / 50)
})

it("reads what it takes of any server in the same way of one that is taken leniently", () => {
  const random = makeRandom(seed + 1)
  const counts = { strictly: 0, leniently: 0, never: 0 }
  for (let done = 0; done < caseCount; done++) {
    const one = makeCase(random)
    const [strict, lenient] = [readWithOurs(one), readWithOurs(one, true)]
    const what = JSON.stringify({ method: one.method, text: one.bytes.toString("latin1"), cuts: one.cuts })
    if (strict.reading.complete) expect(lenient.reading, what).toEqual(strict.reading)
    // Nobody else is answered on a connection whose server breaks the rules.
    else expect(lenient.parser.keepAlive, what).toBe(false)
    counts[strict.reading.complete ? "strictly" : lenient.reading.complete ? "leniently" : "never"]++
  }
  expect(counts.leniently).toBeGreaterThan(caseCount / 100)
  expect(counts.never).toBeGreaterThan(caseCount / 20)
})
