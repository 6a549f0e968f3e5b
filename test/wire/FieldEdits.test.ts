import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc, Option } from "effect"
import { foldedName } from "../../src/domain/FieldName.js"
import { fieldNames, fieldsToSet } from "../../src/domain/Reading.js"
import { editedFields, fieldEdits } from "../../src/wire/FieldEdits.js"
import { requestFields, responseLines } from "../../src/wire/HeaderFields.js"
import { usualRules } from "../../src/wire/RequestRules.js"
import { untouchedTrace } from "../../src/wire/TraceContext.js"
import { trailerFields } from "../../src/wire/Trailers.js"

const problemOf = (given: unknown): string => fieldsToSet.json?.problem(given) ?? ""

/** Names as people and attackers write them: of the same few fields, in many spellings. */
const name = fc.oneof(
  fc.constantFrom("X-A", "x-a", "X_A", "x.a", "X-B", "x_b", "Authorization", "AUTHORIZATION", "Cookie", "Set-Cookie"),
  fc.constantFrom("Content-Length", "content_length", "Transfer-Encoding", "Host", "Via", "TE", "X_Forwarded-For"),
  fc.constantFrom("Connection", "Upgrade", "Proxy-Authorization", "Sec-WebSocket-Key", "Trailer", "Date", "__proto__"),
  fc.string({ maxLength: 6, unit: "binary" }),
)
const value = fc.oneof(
  fc.constantFrom("1", "", "chunked", "close", "x-a, X_B,authorization", "a\tb", "***"),
  fc.constantFrom("a\r\nX-Evil: 1", "a\n", "\r", "\0", "ü", " a", "a ", "\u{1f600}"),
  fc.string({ maxLength: 6, unit: "binary" }),
)
const anyFields = fc
  .array(fc.tuple(name, fc.oneof(value, fc.array(value, { maxLength: 3 }))), { maxLength: 4 })
  .map((entries) => Object.fromEntries(entries))
const peersFields = fc.array(fc.tuple(name, value), { maxLength: 8 }).map((pairs) =>
  // What a parser lets through.
  pairs.flatMap(([name, value]) =>
    /^[!#-'*+\-.^-z|~\w]+$/.test(name) && !/[\r\n\0]/.test(value) ? [name, value] : [],
  ),
)

const valuesOf = (fields: ReadonlyArray<string>, folded: string) =>
  fields.filter((_, index) => index % 2 === 1 && foldedName(fields[index - 1] ?? "") === folded)

const pairsOf = (lines: string): ReadonlyArray<string> =>
  lines
    .split("\r\n")
    .slice(0, -1)
    .flatMap((line) => [line.slice(0, line.indexOf(": ")), line.slice(line.indexOf(": ") + 2)])

const context = {
  authority: "server:1",
  authorization: "Basic url",
  clientHost: "asked:2",
  clientAddress: "192.0.2.1",
  trusted: true,
  proto: "http",
  prefix: "/app",
  httpVersion: "1.1",
  pseudonym: "ss-proxy-01234567",
  requestId: "id-1",
  trace: untouchedTrace,
} as const

describe("fields that are set and stripped", () => {
  it("arrive as they were set and only so, and nothing else of a message changes for them, whatever a peer sends", () => {
    fc.assert(
      fc.property(anyFields, fc.array(name, { maxLength: 3 }), peersFields, fc.boolean(), (set, strip, peers, via) => {
        fc.pre(fieldsToSet.is(set) && fieldNames.is(strip))
        const edits = fieldEdits(strip, set)
        const rules = { ...usualRules, via, edits }
        const sent = requestFields(peers, { ...context, rules }) ?? assert.fail("a loop")
        const answered = pairsOf(responseLines(edits ? editedFields(peers, edits) : peers, 200).text)
        const trailers = trailerFields(peers, peers, edits)
        for (const [name, values] of Object.entries(set))
          for (const fields of [sent, answered])
            assert.deepStrictEqual(valuesOf(fields, foldedName(name)), [values].flat())
        for (const name of strip) {
          if (Object.keys(set).some((other) => foldedName(other) === foldedName(name))) continue
          const left = foldedName(name) === "authorization" ? ["Basic url"] : []
          assert.deepStrictEqual(valuesOf(sent, foldedName(name)), left)
          assert.deepStrictEqual(valuesOf(answered, foldedName(name)), [])
        }
        for (const name of [...strip, ...Object.keys(set)])
          assert.deepStrictEqual(valuesOf(trailers, foldedName(name)), [])
        for (const part of sent) assert.notMatch(part, /[\r\n\0]/)
        const framing = (fields: ReadonlyArray<string>) =>
          ["content-length", "transfer-encoding", "host", "connection"].map((name) => valuesOf(fields, name))
        const plain = requestFields(peers, { ...context, rules: usualRules }) ?? []
        assert.deepStrictEqual(framing(sent), framing(plain))
      }),
      { numRuns: 400 },
    )
  })

  it("are read from their JSON as they are shown in it, without their values where they are shown to others", () => {
    fc.assert(
      fc.property(anyFields, (set) => {
        const text = JSON.stringify(set)
        const read = fieldsToSet.read(text)
        assert.strictEqual(Option.isSome(read), fieldsToSet.is(set))
        if (Option.isNone(read)) return
        assert.deepStrictEqual(fieldsToSet.read(fieldsToSet.show(read.value)), read)
        const shown: unknown = JSON.parse(fieldsToSet.json?.shown?.(read.value) ?? "")
        assert.deepStrictEqual(shown, Object.fromEntries(Object.keys(set).map((name) => [name, "***"])))
      }),
    )
  })

  it("are refused with what is wrong and what to do, but without their values", () => {
    const refused: ReadonlyArray<readonly [given: unknown, problem: RegExp]> = [
      ["{secret", /not JSON/],
      [[], /a JSON object/],
      [null, /a JSON object/],
      [{ "X A": "secret" }, /"X…" is not the name of a field/],
      [{ "Authorization: Bearer secret": "" }, /"Authorization…" is not the name of a field/],
      [{ "": "secret" }, /"" is not the name of a field/],
      [{ content_length: "1" }, /content_length says where or how content ends/],
      [{ "Transfer.Encoding": "chunked" }, /only the proxy may write it/],
      [{ Upgrade: "h2c" }, /one connection/],
      [{ "Proxy-Connection": "close" }, /one connection/],
      [{ Host: "secret" }, /for the proxy itself/],
      [{ X_Forwarded_For: "secret" }, /for the proxy itself/],
      [{ "X-Forwarded-Anything": "secret" }, /for the proxy itself/],
      [{ "CDN-Loop": "secret" }, /for the proxy itself/],
      [{ "Sec-WebSocket-Protocol": "secret" }, /handshake/],
      [{ "X-A": "1", x_a: "2" }, /x_a stands twice/],
      [{ "X-A": [] }, /strip it/],
      [{ "X-A": 7 }, /must be a text/],
      [{ "X-A": ["secret", null] }, /must be a text/],
      [{ "X-A": "secret\n" }, /visible ASCII/],
      [{ "X-A": "secret\r\nX-B: 1" }, /visible ASCII/],
      [{ "X-A": "sécret" }, /encode others/],
      [{ "X-A": "secret " }, /white space/],
      [{ Authorization: "***" }, /left out where it was shown; write it/],
      [{ "X-A": "secret".repeat(2_000) }, /more than 8192/],
    ]
    for (const [given, problem] of refused) {
      assert.isFalse(fieldsToSet.is(given), JSON.stringify(given))
      assert.match(problemOf(given), problem)
      assert.notInclude(problemOf(given), "secret")
    }
    for (const given of [["Via"], ["x-a", "X_A"], ["X A"], [1], {}]) assert.isFalse(fieldNames.is(given))
  })
})
