import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { EventReader, type ServerEvent } from "../../src/wire/EventReader.js"

/** All events of a stream that comes in these pieces. */
const eventsIn = (pieces: ReadonlyArray<string>): ReadonlyArray<ServerEvent> => {
  const reader = new EventReader()
  return pieces.flatMap((piece) => reader.take(piece))
}

const lineEnd = fc.constantFrom("\n", "\r\n", "\r")
const line = fc.oneof(
  fc.string().map((text) => `data: ${text.replaceAll(/[\r\n]/g, "")}`),
  fc.constantFrom("data", "data:", ":a comment", "event: stats", "id: 7", "retry: 2000", "data:: x", ""),
)
const streamOf = fc.array(fc.tuple(line, lineEnd), { maxLength: 30 }).map((lines) => lines.flat().join(""))

/** The same text, cut at these places. */
const cutAt = (text: string, places: ReadonlyArray<number>): ReadonlyArray<string> => {
  const at = [0, ...places.map((place) => place % (text.length + 1)).toSorted((one, other) => one - other), text.length]
  return at.slice(1).map((end, index) => text.slice(at[index], end))
}

describe("the reader of event streams", () => {
  it("reads the same events in whatever pieces they come", () => {
    fc.assert(
      fc.property(streamOf, fc.array(fc.nat(), { maxLength: 12 }), (text, places) => {
        assert.deepStrictEqual(eventsIn(cutAt(text, places)), eventsIn([text]))
      }),
    )
  })

  it("gives back what was written, of any text", () => {
    const written = fc.array(
      fc.record({ event: fc.constantFrom("stats", "sessions"), lines: fc.array(fc.string(), { minLength: 1 }) }),
    )
    fc.assert(
      fc.property(written, fc.array(fc.nat(), { maxLength: 12 }), (events, places) => {
        const clean = events.map(({ event, lines }) => ({
          event,
          lines: lines.map((text) => text.replaceAll(/[\r\n]/g, "")),
        }))
        const text = clean
          .map(({ event, lines }) => `event: ${event}\n${lines.map((one) => `data: ${one}\n`).join("")}\n`)
          .join("")
        assert.deepStrictEqual(
          eventsIn(cutAt(text, places)),
          clean.map(({ event, lines }) => ({ event, data: lines.join("\n"), id: "" })),
        )
      }),
    )
  })

  it("keeps the last id, names what has no name, and leaves out what is not whole", () => {
    assert.deepStrictEqual(eventsIn(["id: 1\ndata: a\n\ndata: b\n\n:c\n\nevent: x\n\ndata: lost"]), [
      { event: "message", data: "a", id: "1" },
      { event: "message", data: "b", id: "1" },
    ])
  })

  it("says when something has no end", () => {
    const reader = new EventReader()
    const piece = `data: ${"x".repeat(1_000_000)}\n`
    for (let count = 0; count < 4; count++) reader.take(piece)
    assert.isFalse(reader.isOverfull)
    reader.take(piece)
    assert.isTrue(reader.isOverfull)
  })
})
