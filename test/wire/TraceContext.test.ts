import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { parseTraceParent, receivedTrace, traceParent } from "../../src/wire/TraceContext.js"

const traceId = "0af7651916cd43dd8448eb211c80319c"
const parentId = "b7ad6b7169203331"
const valid = `00-${traceId}-${parentId}-01`

describe("parseTraceParent", () => {
  it("reads ids and whether the parent was sampled, whatever the other flags say", () => {
    assert.deepStrictEqual(parseTraceParent(valid), { traceId, parentId, sampled: true })
    assert.deepStrictEqual(parseTraceParent(`00-${traceId}-${parentId}-00`), { traceId, parentId, sampled: false })
    assert.isTrue(parseTraceParent(`00-${traceId}-${parentId}-ff`)?.sampled)
    assert.isFalse(parseTraceParent(`00-${traceId}-${parentId}-fe`)?.sampled)
  })

  it("reads of a later version what it has in common with this one", () => {
    const expected = { traceId, parentId, sampled: true }
    assert.deepStrictEqual(parseTraceParent(`01-${traceId}-${parentId}-01`), expected)
    assert.deepStrictEqual(parseTraceParent(`cc-${traceId}-${parentId}-01-what-the-future-brings`), expected)
  })

  const malformed = {
    nothing: "",
    "a version that cannot be": `ff-${traceId}-${parentId}-01`,
    "something behind the flags of version 00": `${valid}-x`,
    "something behind the flags of a later version without a dash": `01-${traceId}-${parentId}-01x`,
    "upper case": valid.toUpperCase(),
    "a trace id of zeros": `00-${"0".repeat(32)}-${parentId}-01`,
    "a parent id of zeros": `00-${traceId}-${"0".repeat(16)}-01`,
    "a trace id that is too short": `00-${traceId.slice(1)}-${parentId}-01`,
    "a trace id that is no hex": `00-${traceId.slice(1)}g-${parentId}-01`,
    "one digit of flags": `00-${traceId}-${parentId}-1`,
    "no flags": `00-${traceId}-${parentId}`,
    spaces: ` ${valid}`,
    "a line break": `${valid}\n`,
    "two in one": `${valid},${valid}`,
  }

  for (const [what, value] of Object.entries(malformed))
    it(`does not read ${what}`, () => assert.isUndefined(parseTraceParent(value)))

  const hex = (digits: number) =>
    fc
      .stringOf(fc.constantFrom(..."0123456789abcdef"), { minLength: digits, maxLength: digits })
      .filter((text) => /[^0]/.test(text))

  it("reads what traceParent writes", () => {
    fc.assert(
      fc.property(hex(32), hex(16), fc.boolean(), (traceId, parentId, sampled) => {
        const written = traceParent(traceId, parentId, sampled)
        assert.deepStrictEqual(parseTraceParent(written), { traceId, parentId, sampled })
      }),
    )
  })

  it("gives no ids but well-formed ones, whatever it is given", () => {
    const pieces = fc.array(fc.constantFrom("00", "-", traceId, parentId, "01", "ff", "0", "x", "\0", "é"), {
      maxLength: 12,
    })
    fc.assert(
      fc.property(
        fc.oneof(
          fc.fullUnicodeString(),
          pieces.map((all) => all.join("")),
        ),
        (value) => {
          const parsed = parseTraceParent(value)
          if (parsed === undefined) return
          assert.match(parsed.traceId, /^[0-9a-f]{32}$/)
          assert.match(parsed.parentId, /^[0-9a-f]{16}$/)
        },
      ),
    )
  })
})

describe("receivedTrace", () => {
  it("finds the field in any spelling of its name", () => {
    assert.isUndefined(receivedTrace(["Traceparents", valid, "X", "traceparent"]))
    assert.deepStrictEqual(receivedTrace(["A", "b", "TraceParent", valid]), { traceId, parentId, sampled: true })
  })

  it("takes two of them, or a broken one, for malformed", () => {
    assert.strictEqual(receivedTrace(["traceparent", "x"]), "malformed")
    assert.strictEqual(receivedTrace(["traceparent", valid, "Traceparent", valid]), "malformed")
    assert.strictEqual(receivedTrace(["traceparent", "", "Traceparent", valid]), "malformed")
  })
})
