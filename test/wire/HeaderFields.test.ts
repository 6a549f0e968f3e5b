import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import {
  type ForwardContext,
  firstValue,
  listMembers,
  type RawFields,
  requestFields,
  interimFields,
  requestIdOf,
} from "../../src/wire/HeaderFields.js"
import { usualRules } from "../../src/wire/RequestRules.js"
import { identifiedTrace, untouchedTrace } from "../../src/wire/TraceContext.js"
import { trailerFields } from "../../src/wire/Trailers.js"

const context: ForwardContext = {
  authority: "server:1",
  authorization: undefined,
  clientHost: "asked:2",
  clientAddress: "192.0.2.1",
  trusted: false,
  proto: "http",
  prefix: "/app",
  httpVersion: "1.1",
  pseudonym: "ss-proxy-0123",
  requestId: "id-1",
  trace: identifiedTrace,
  rules: usualRules,
}

const forwarded = (fields: RawFields, change: Partial<ForwardContext> = {}) =>
  requestFields(fields, { ...context, ...change }) ?? assert.fail("it says there is a loop")

const valuesOf = (fields: RawFields, name: string) =>
  fields.filter((_, index) => index % 2 === 1 && fields[index - 1]?.toLowerCase() === name)

const ofOneHop = ["connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization"]
const writtenAnew = ["host", "via", "te", "x-request-id", "traceparent", "authorization"]

/** Fields, some of one hop, some nominated, in any spelling. */
const fieldName = fc.constantFrom(
  "X-A",
  "x-a",
  "Cookie",
  "Accept",
  "Connection",
  "connection",
  "Keep-Alive",
  "UPGRADE",
  "Transfer-Encoding",
  "Proxy-Authorization",
  "Te",
  "X-B",
  "Content-Type",
  "Host",
)
const fieldValue = fc.constantFrom(
  "1",
  "",
  "close",
  "x-a",
  "X-A, x-b",
  "keep-alive, X-B,,",
  "host, cookie",
  "trailers",
  "\u00ff",
)
const anyFields = fc.array(fc.tuple(fieldName, fieldValue), { maxLength: 12 }).map((pairs) => pairs.flat())

/** What must be left, by a reading of the rules that is written down differently from the code. */
const endToEnd = (fields: RawFields, alsoGone: ReadonlyArray<string>): RawFields => {
  const nominated = new Set(
    valuesOf(fields, "connection")
      .flatMap((value) => value.toLowerCase().split(","))
      .map((name) => name.trim())
      .filter((name) => !["host", "cookie", "content-type", "accept"].includes(name)),
  )
  const gone = new Set([...ofOneHop, "transfer-encoding", "upgrade", "te", ...alsoGone, ...nominated])
  return fields.filter((_, index) => !gone.has((fields[index - (index % 2)] ?? "").toLowerCase()))
}

describe("requestFields", () => {
  it("passes on what is end to end, in order, with duplicates and case, and nothing of one hop", () => {
    fc.assert(
      fc.property(anyFields, (fields) => {
        const out = forwarded(fields)
        const added = out.findIndex((name, index) => index % 2 === 0 && (name === "TE" || name === "X-Forwarded-For"))
        assert.deepStrictEqual(out.slice(0, 2), ["Host", "server:1"])
        assert.deepStrictEqual(out.slice(2, added), [...endToEnd(fields, writtenAnew)])
      }),
      { numRuns: 1_000 },
    )
  })

  it("says who asked, and does not believe a client that is not trusted", () => {
    const claims = [
      "X-Forwarded-For",
      "1.2.3.4",
      "X-Forwarded-Host",
      "evil",
      "X-Forwarded-Proto",
      "https",
      "X-Forwarded-Port",
      "1",
    ]
    const out = forwarded(claims)
    assert.deepStrictEqual(
      ["for", "host", "proto", "prefix", "port"].map((name) => valuesOf(out, `x-forwarded-${name}`)),
      [["192.0.2.1"], ["asked:2"], ["http"], ["/app"], []],
    )
    const believed = forwarded([...claims, "X-Forwarded-Prefix", "/outer"], { trusted: true })
    assert.deepStrictEqual(
      ["for", "host", "proto", "prefix", "port"].map((name) => valuesOf(believed, `x-forwarded-${name}`)),
      [["1.2.3.4, 192.0.2.1"], ["evil"], ["https"], ["/outer/app"], ["1"]],
    )
  })

  it("lets go on of TE what is about trailers, and nothing else", () => {
    assert.deepStrictEqual(valuesOf(forwarded(["TE", "gzip, Trailers;q=1"]), "te"), ["trailers"])
    assert.deepStrictEqual(valuesOf(forwarded(["TE", "gzip"]), "te"), [])
  })

  it("gives the credentials of the session's URL where the client has none", () => {
    const authorization = "Basic eA=="
    assert.deepStrictEqual(valuesOf(forwarded([], { authorization }), "authorization"), [authorization])
    assert.deepStrictEqual(valuesOf(forwarded(["authorization", "own"], { authorization }), "authorization"), ["own"])
  })

  it("adds itself to Via, and finds itself there", () => {
    assert.deepStrictEqual(valuesOf(forwarded(["Via", "1.0 a", "via", "1.1 b"]), "via"), [
      "1.0 a, 1.1 b, 1.1 ss-proxy-0123",
    ])
    assert.isUndefined(requestFields(["Via", "1.1 a, 1.1 ss-proxy-0123"], context))
  })

  it("keeps a trace as it came, or begins one that is valid and of which nobody has recorded anything", () => {
    assert.deepStrictEqual(valuesOf(forwarded(["TraceParent", "x"]), "traceparent"), ["x"])
    const [begun] = valuesOf(forwarded([]), "traceparent")
    assert.match(begun ?? "", /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-00$/)
  })

  it("leaves the trace fields alone where they are none of its business", () => {
    const fields = forwarded(["TraceParent", "x", "tracestate", "a=1"], { trace: untouchedTrace })
    assert.deepStrictEqual(valuesOf(fields, "traceparent"), ["x"])
    assert.deepStrictEqual(valuesOf(fields, "tracestate"), ["a=1"])
    assert.deepStrictEqual(valuesOf(forwarded([], { trace: untouchedTrace }), "traceparent"), [])
  })

  it("puts a traceparent in place of any that came, with or without tracestate", () => {
    const came = ["traceparent", "x", "TRACEPARENT", "y", "tracestate", "a=1", "TraceState", "b=2"]
    const replaced = (keepsState: boolean) => forwarded(came, { trace: { replaced: "new", added: true, keepsState } })
    assert.deepStrictEqual(valuesOf(replaced(true), "traceparent"), ["new"])
    assert.deepStrictEqual(valuesOf(replaced(true), "tracestate"), ["a=1", "b=2"])
    assert.deepStrictEqual(valuesOf(replaced(false), "tracestate"), [])
  })
})

describe("interimFields", () => {
  it("passes on what is end to end, in order, with duplicates and case, and nothing of one hop", () => {
    fc.assert(
      fc.property(anyFields, (fields) => {
        assert.deepStrictEqual(interimFields(fields), [...endToEnd(fields, [])])
      }),
      { numRuns: 1_000 },
    )
  })

  it("lets Connection name no field that describes the message", () => {
    const fields = [
      "Connection",
      "Set-Cookie, Content-Length, WWW-Authenticate, X-Mine",
      "Set-Cookie",
      "a",
      "X-Mine",
      "b",
    ]
    assert.deepStrictEqual(interimFields(fields), ["Set-Cookie", "a"])
  })
})

describe("trailerFields", () => {
  it("leaves out what frames, routes or authenticates", () => {
    const fields = [
      "X-Sum",
      "1",
      "Content-Length",
      "5",
      "set-cookie",
      "a",
      "x-sum",
      "2",
      "Connection",
      "x",
      "Trailer",
      "y",
    ]
    assert.deepStrictEqual(trailerFields(fields, []), ["X-Sum", "1", "x-sum", "2"])
    assert.deepStrictEqual(trailerFields([], []), [])
  })
})

describe("the rest of HeaderFields", () => {
  it("reads the members of a list, without the empty ones", () => {
    assert.deepStrictEqual(listMembers(" A ,,b\t,C d, "), ["a", "b", "c d"])
    assert.deepStrictEqual(listMembers(""), [])
  })

  it("finds the first value of a name, in any spelling", () => {
    assert.strictEqual(firstValue(["X-A", "1", "x-a", "2"], "x-a"), "1")
    assert.isUndefined(firstValue(["X-A", "1"], "1"))
  })

  it("takes the client's request id where it can be logged, or makes one", () => {
    assert.strictEqual(requestIdOf(["x-request-ID", "abc-1"]), "abc-1")
    for (const bad of ["", "a b", "a\u00ff", "x".repeat(201), "a\tb"]) {
      const made = requestIdOf(["X-Request-Id", bad])
      assert.match(made, /^[0-9a-f]{32}$/)
      assert.notStrictEqual(made, requestIdOf([]))
    }
  })
})
