import { assert, describe, it } from "@effect/vitest"
import { Either, Option } from "effect"
import { policyRows } from "../../src/domain/Policies.js"
import { policyFields } from "../../src/sessions/SessionShape.js"
import { defaultPolicy, isSamePolicy, policyOfColumns, readPolicy } from "../../src/domain/SessionPolicy.js"

describe("the policy of a session", () => {
  it("is the default where its columns are absent or NULL", () => {
    assert.deepStrictEqual(policyOfColumns({}), defaultPolicy)
    assert.deepStrictEqual(policyOfColumns({ insecure: null, wsPath: undefined }), defaultPolicy)
    assert.deepStrictEqual(readPolicy(defaultPolicy), Either.right(defaultPolicy))
  })

  it("keeps an invalid value verbatim, beside those that are valid", () => {
    const stored = policyOfColumns({ insecure: "yes", wsPath: "strip" })
    assert.deepStrictEqual(stored, { ...defaultPolicy, insecure: "yes", wsPath: "strip" })
  })

  it("is refused where a value is invalid, in words that name the column, the value and what it must be", () => {
    const problemOf = (columns: Record<string, string>) => Either.flip(readPolicy(policyOfColumns(columns)))
    assert.deepStrictEqual(problemOf({ insecure: "2" }), Either.right('its insecure is "2"; it must be 0 or 1'))
    assert.deepStrictEqual(
      problemOf({ wsPath: "Strip" }),
      Either.right('its ws_path is "Strip"; it must be one of append, full, strip, or NULL'),
    )
    for (const words of ['its cors is "https://a.example/"', "no slash at the end", "https://app.example"])
      assert.include(Either.getOrThrow(problemOf({ cors: "https://a.example/" })), words)
  })

  it("is refused where a text is of any length, without a word of it", () => {
    const long = "1".repeat(200_000)
    const padded = `{"X-A":"1"}${" ".repeat(200_000)}`
    const origins = Array.from({ length: 1_000 }, (_, index) => `http://a${index}.example`).join(",")
    for (const [name, text, problem] of [
      ["wsPing", long, /^its ws_ping is a text of 200000 characters; it must be/],
      ["cors", origins, /^its cors is a text of \d+ characters; it must be .*at most 8192 characters/],
      ["setFields", padded, /^its set_fields cannot be used: it is too long$/],
      ["stripFields", JSON.stringify(Array(30_000).fill("X")), /^its strip_fields .* more than 8192 characters/],
    ] as const)
      assert.match(Either.getOrThrow(Either.flip(readPolicy(policyOfColumns({ [name]: text })))), problem)
  })

  it("is the same as another only where all of it is", () => {
    assert.isTrue(isSamePolicy(policyOfColumns({ insecure: "0" }), defaultPolicy))
    assert.isFalse(isSamePolicy(policyOfColumns({ insecure: "1" }), defaultPolicy))
    assert.isFalse(isSamePolicy(policyOfColumns({ wsPath: "full" }), policyOfColumns({ wsPath: "strip" })))
  })
})

describe("fields that a policy sets", () => {
  it("are the same where they say the same, and are never in what is said about invalid ones", () => {
    const of = (setFields: string) => policyOfColumns({ setFields })
    assert.isTrue(isSamePolicy(of('{"X-A": "secret"}'), of('{"X-A":"secret"}')))
    assert.isFalse(isSamePolicy(of('{"X-A":"secret"}'), of('{"X-A":"other"}')))
    assert.isFalse(isSamePolicy(of('{"X-A":"secret"}'), of("{}")))
    assert.isFalse(isSamePolicy(of("{}"), defaultPolicy))
    for (const text of ['{"X-A":"secret\\n"}', '{"Host":"secret"}', '"secret"', "{secret", '{"X A":{"secret":1}}']) {
      const problem = Option.getOrThrow(Either.getLeft(readPolicy(of(text))))
      assert.match(problem, /^its set_fields cannot be used: /)
      assert.notInclude(problem, "secret")
    }
  })

  it("are not shown where somebody put them into the column of names", () => {
    const shown = policyFields(policyOfColumns({ stripFields: '{"Authorization":"secret"}' }))
    assert.strictEqual(shown["strip_fields"], "***")
    assert.strictEqual(policyFields(policyOfColumns({ stripFields: '["Cookie"]' }))["strip_fields"], '["Cookie"]')
  })
})

describe("the table of policies", () => {
  it("names no column and no flag twice", () => {
    const rows = Object.values(policyRows)
    const flags = rows.flatMap(({ flag, opposite }) => (opposite === undefined ? [flag] : [flag, opposite.flag]))
    for (const names of [rows.map(({ column }) => column), flags]) assert.strictEqual(new Set(names).size, names.length)
  })

  it("reads from a column what it wrote there, and from a flag what it shows", () => {
    // Of each kind of value at least two; a policy takes those of its own kind.
    const texts = ["true", "false", "30", "0.5", "2.007", "64k", "1000", "*", "https://a.example,http://b:81"]
    texts.push('{"X-A":"1"}', '{"X-A":["1","2"]}', '["X-A"]', '["X-A","X-B"]')
    for (const { column, fallback, read, write, reading } of Object.values(policyRows)) {
      const given = reading.choices ?? texts.filter((text) => Option.isSome(reading.read(text)))
      assert.isAtLeast(given.length, 2, column)
      for (const text of given) {
        const value = Option.getOrThrow(reading.read(text))
        assert.deepStrictEqual(read(String(write(value))), Option.some(value), `${column}: ${text}`)
        assert.deepStrictEqual(reading.read(reading.show(value)), Option.some(value), `${column}: ${text}`)
      }
      assert.isTrue(reading.is(fallback), column)
    }
  })
})
