import { describe, expect, it } from "@effect/vitest"
import fc from "fast-check"
import { BadRequest, DownstreamUnreachable, ResponseBroken } from "../../src/domain/ProxyError.js"
import { accessFieldNames } from "../../src/log/AccessField.js"
import { accessFields, timeText } from "../../src/log/AccessLine.js"
import { sizeText, timeSpan } from "../../src/log/Amounts.js"
import { prettyLine } from "../../src/log/PrettyLine.js"
import type { TrafficRecord } from "../../src/telemetry/TrafficRecord.js"
import { jsonLine, recordWith } from "../telemetry/Records.js"

const plain = (text: string): string => text
const look = {
  paint: { dim: plain, red: plain, green: plain, yellow: plain, cyan: plain },
  brief: true,
  query: "keep",
} as const

const refused = new DownstreamUnreachable({ reason: "refused", address: "10.0.0.7:9000" })
const socket = recordWith({
  kind: "websocket",
  status: 101,
  end: "server",
  milliseconds: 3_723_000,
  webSocket: { code: 1001, reason: "going away", closedBy: "server", messagesIn: 12, messagesOut: 30 },
})

describe("a line of the access log as JSON", () => {
  it("has its fields in one order, numbers as numbers, and leaves out what has nothing to say", () => {
    expect(jsonLine(recordWith(), "redact")).toBe(
      '{"time":"2026-01-02T12:03:04.046Z","kind":"request","id":"p1-a","request_id":"0123456789abcdef0123456789abcdef",' +
        '"session":"alice","method":"GET","target":"/alice/run","http_version":"1.1","host":"proxy.example","status":200,' +
        '"end":"complete","client":"192.0.2.7","user_agent":"curl/8.5.0","bytes_in":1200,"bytes_out":340,' +
        '"duration_ms":41.235,"first_byte_ms":38,"server_ms":36.5,"reused":true,"server":"10.0.0.7:9000"}',
    )
  })

  it("names what went wrong, whose fault it was, and why", () => {
    expect(JSON.parse(jsonLine(recordWith({ status: 502, error: refused }), "redact"))).toMatchObject({
      status: 502,
      cause: "downstream_unreachable",
      fault: "downstream",
      reason: "refused",
    })
    const broken = new ResponseBroken({ sessionId: "alice", address: "10.0.0.7:9000", problem: "closed too early" })
    expect(JSON.parse(jsonLine(recordWith({ end: "server", error: broken }), "redact"))).toMatchObject({
      end: "server",
      cause: "response_broken",
      reason: "closed too early",
    })
  })

  it("has what only a WebSocket has, behind the rest", () => {
    const line = jsonLine(socket, "redact")
    expect(line).toMatch(
      /"code":1001,"close_reason":"going away","closed_by":"server","messages_in":12,"messages_out":30}$/,
    )
  })

  it("has names in snake case alone", () => {
    for (const name of accessFieldNames) expect(name).toMatch(/^[a-z]+(_[a-z]+)*$/)
    expect(new Set(accessFieldNames).size).toBe(accessFieldNames.length)
  })

  it("has times in UTC, before the epoch and at the end of a second, too", () => {
    for (const time of [0, -1, 999, 1_000, 1_767_355_384_999.9, -86_400_001])
      expect(timeText(time)).toBe(new Date(Math.floor(time)).toISOString())
  })
})

describe("a line of the access log for people", () => {
  it("says first what matters", () => {
    expect(prettyLine(recordWith(), look)).toBe(
      "12:03:04 200 GET /alice/run 41 ms (first byte 38) ↑1.2 kB ↓340 B 10.0.0.7:9000 reused " +
        "client=192.0.2.7 request_id=0123456789abcdef0123456789abcdef",
    )
    expect(prettyLine(recordWith({ status: 502, error: refused, reused: undefined }), look)).toContain(
      " 10.0.0.7:9000 downstream_unreachable: refused client=",
    )
    const held = recordWith({ times: { ...recordWith().times, hold: 1_512 } })
    expect(prettyLine(held, look)).toContain("(first byte 38) held 1.5 s ↑1.2 kB ")
    expect(prettyLine(socket, look)).toContain(
      '101 WebSocket /alice/run 1 h (first byte 38) ↑1.2 kB ↓340 B 10.0.0.7:9000 reused closed 1001 "going away" by server 12↑ 30↓ messages ended by server ',
    )
  })

  it("says of what never became a request that it was refused", () => {
    const error = new BadRequest({ detail: "The request is not valid HTTP/1.1: no colon." })
    const line = prettyLine(recordWith({ kind: "refused", method: "", target: "", status: 400, error }), look)
    expect(line).toMatch(/^12:03:04 400 refused .* bad_request: The request is not valid HTTP\/1.1: no colon. client=/)
  })

  it("has sizes and times with two digits or three", () => {
    expect([0, 999, 1_000, 9_949, 9_960, 999_499, 999_500, 1.5e9, 3e15].map(sizeText)).toEqual([
      "0 B",
      "999 B",
      "1.0 kB",
      "9.9 kB",
      "10 kB",
      "999 kB",
      "1.0 MB",
      "1.5 GB",
      "3000 TB",
    ])
    expect([0.04, 1.25, 41, 999.4, 999.6, 12_000, 180_000, 9_000_000].map(timeSpan)).toEqual([
      "0 ms",
      "1.3 ms",
      "41 ms",
      "999 ms",
      "1 s",
      "12 s",
      "3 min",
      "2.5 h",
    ])
  })
})

/** Any bytes, and above all those that end lines, steer terminals and break quotes. */
const hostile = fc.oneof(
  fc.stringOf(fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code))),
  fc.stringOf(fc.constantFrom(...'\n\r\0\u001b\u0085"\\,={}% \u007f\u009b\u00e2\u0080\u00ae?&token=')),
  fc.constantFrom("\xe2\x80\xa8", "\xe2\x80\xae", "\xed\xa0\x80", "\xff\xfe", "\x1b[2J\x1b[31m"),
)
const hostileUnicode = fc.oneof(
  hostile,
  fc.fullUnicodeString(),
  fc.constantFrom("\u2028\u202e\u{e0041}", "\ud800", "\udfff\ud800"),
)

const hostileRecord: fc.Arbitrary<TrafficRecord> = fc
  .record({
    requestId: hostile,
    sessionId: fc.option(hostileUnicode, { nil: undefined }),
    client: hostile,
    method: hostile,
    target: hostile,
    httpVersion: hostile,
    host: fc.option(hostile, { nil: undefined }),
    userAgent: fc.option(hostile, { nil: undefined }),
    server: fc.option(hostileUnicode, { nil: undefined }),
    traceId: fc.option(hostile, { nil: undefined }),
    error: fc.option(
      hostileUnicode.map((detail) => new BadRequest({ detail })),
      { nil: undefined },
    ),
    webSocket: fc.option(
      hostileUnicode.map((reason) => ({
        code: 1000,
        reason,
        closedBy: "client" as const,
        messagesIn: 1,
        messagesOut: 2,
      })),
      { nil: undefined },
    ),
  })
  .map(recordWith)

const rule = fc.constantFrom("redact" as const, "keep" as const, "drop" as const)
const unseen = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u

describe("whatever a client sends", () => {
  it("is one line of valid JSON in which everything can be seen", () => {
    fc.assert(
      fc.property(hostileRecord, rule, (record, query) => {
        const line = jsonLine(record, query)
        expect(line).not.toMatch(unseen)
        expect(Object.entries(JSON.parse(line))).toEqual(accessFields(record, query).map(([...pair]) => pair))
      }),
      { numRuns: 1_000 },
    )
  })

  it("is one line for people in which everything can be seen", () => {
    fc.assert(
      fc.property(hostileRecord, rule, (record, query) => {
        expect(prettyLine(record, { ...look, query })).not.toMatch(unseen)
      }),
      { numRuns: 1_000 },
    )
  })

  it("has a bound, however much it is", () => {
    const much = "\u0001\xe2\x80\xae\xff".repeat(262_144)
    const record = recordWith({
      target: `/${much}`,
      userAgent: much,
      host: much,
      method: much,
      sessionId: much,
      requestId: much,
    })
    expect(jsonLine(record, "redact").length).toBeLessThan(32_768)
    expect(prettyLine(record, look).length).toBeLessThan(32_768)
  })
})
