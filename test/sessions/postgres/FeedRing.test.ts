import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { FeedRing } from "../../../src/sessions/postgres/FeedRing.js"

describe("the changes that were heard of", () => {
  it("are named since any version that is kept, and are every session's otherwise", () => {
    const ring = new FeedRing()
    const start = ring.version
    ring.notice('["a","b"]')
    ring.notice('["a"]')
    assert.deepStrictEqual(ring.changes(start), ["a", "b", "a"])
    assert.deepStrictEqual(ring.changes(start + 1), ["a"])
    assert.deepStrictEqual(ring.changes(ring.version), [])
    assert.isUndefined(ring.changes(ring.version + 1))
    const before = ring.version
    for (let count = 0; count < 1_000; count++) ring.notice('["c"]')
    assert.strictEqual(ring.changes(before)?.length, 1_000)
    assert.isUndefined(ring.changes(before - 1))
  })

  it("are every session's where a notice does not say whose they are", () => {
    for (const payload of ["*", "", "{}", '["a",1]', "[", undefined]) {
      const ring = new FeedRing()
      ring.notice('["a"]')
      const before = ring.version
      ring.notice(payload)
      assert.isUndefined(ring.changes(before))
      assert.isAbove(ring.version, before)
    }
  })

  it("name every id of every notice since, whatever came before", () => {
    const anId = fc.string({ maxLength: 3 })
    const aNotice = fc.option(fc.array(anId, { maxLength: 3 }), { nil: undefined })
    fc.assert(
      fc.property(fc.array(aNotice, { maxLength: 30 }), fc.nat(30), (notices, from) => {
        const ring = new FeedRing()
        let since = ring.version
        for (const [index, ids] of notices.entries()) {
          if (index === from) since = ring.version
          ring.notice(ids === undefined ? "*" : JSON.stringify(ids))
        }
        const behind = from < notices.length ? notices.slice(from) : notices
        const expected = behind.includes(undefined) ? undefined : behind.flatMap((ids) => ids ?? [])
        assert.deepStrictEqual(ring.changes(since), expected)
      }),
    )
  })
})
