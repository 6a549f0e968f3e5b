import { assert, describe, it } from "@effect/vitest"
import { Either } from "effect"
import * as fc from "fast-check"
import { namedIn } from "../../src/admin/calls/StatsCalls.js"
import { eventsPath } from "../../src/dashboard/EventsPath.js"

describe("the sessions on the screen", () => {
  it("are those that the proxy tells of, whatever is in their ids", () => {
    const ids = fc.uniqueArray(fc.string({ minLength: 1, unit: "grapheme" }), { maxLength: 60 })
    fc.assert(fc.property(ids, (ids) => assert.deepStrictEqual(Either.getOrThrow(namedIn(eventsPath(ids))), ids)))
    assert.strictEqual(eventsPath(["a,b", "c"]), "/v1/events?sessions=a%2Cb,c")
  })
})
