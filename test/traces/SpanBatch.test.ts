import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { type EndedSpan, SpanBatch } from "../../src/cli/traces/SpanBatch.js"
import { spansOf } from "./Collector.js"

const plain: EndedSpan = {
  traceId: "0af7651916cd43dd8448eb211c80319c",
  spanId: "b7ad6b7169203331",
  parent: undefined,
  name: "GET",
  kind: "server",
  startTime: 1_700_000_000_000_000_000n,
  endTime: 1_700_000_000_001_000_000n,
  attributeNames: [],
  attributeValues: [],
  events: [],
  isError: false,
}

const collected = (spans: ReadonlyArray<EndedSpan>, room: number) => {
  const batch = new SpanBatch(new Map([["service.name", 'a "proxy"']]), room)
  for (const span of spans) batch.add(span)
  return spansOf(JSON.parse(Buffer.from(batch.finished()).toString("utf8")))
}

describe("a batch of spans", () => {
  it("is JSON that says of each span what it was, however much room there was", () => {
    const text = fc.string({ unit: "binary", maxLength: 40 })
    const value = fc.oneof(text, fc.maxSafeInteger(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean())
    fc.assert(
      fc.property(fc.array(fc.array(value, { maxLength: 12 }), { maxLength: 5 }), fc.nat(3_000), (values, room) => {
        const spans = values.map((of) => ({
          ...plain,
          attributeNames: of.map((_, at) => `a${at}`),
          attributeValues: of,
        }))
        const found = collected(spans, room)
        const told = (one: unknown) => (Object.is(one, -0) ? 0 : one)
        assert.deepStrictEqual(
          found.map(({ attributes }) => Object.values(attributes)),
          values.map((of) => of.map(told)),
        )
        for (const { resource } of found) assert.deepStrictEqual(resource, { "service.name": 'a "proxy"' })
      }),
    )
  })

  it("says what a span is a part of, when it was, what happened in it, and whether it failed", () => {
    const parent = { spanId: "00f067aa0ba902b7", isRemote: true }
    const events = [{ name: "first_byte", time: plain.startTime }]
    const [first, second] = collected([plain, { ...plain, kind: "client", parent, events, isError: true }], 1)
    assert.include(first, {
      traceId: plain.traceId,
      spanId: plain.spanId,
      parentId: undefined,
      kind: "server",
      isError: false,
    })
    assert.include(second, { parentId: parent.spanId, name: "GET", kind: "client", isError: true })
    assert.deepStrictEqual([second?.start, second?.end, second?.events], [1.7e12, 1.7e12 + 1, ["first_byte"]])
  })
})
