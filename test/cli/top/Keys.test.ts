import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import { type Key, KeyReader } from "../../../src/cli/top/Keys.js"
import { anyText } from "./TopLab.js"

const read = (...pieces: ReadonlyArray<string>): ReadonlyArray<string> => {
  const reader = new KeyReader()
  const name = (key: Key) => (key._tag === "Named" ? key.name : key._tag === "Typed" ? key.character : `(${key.text})`)
  return pieces.flatMap((piece) => reader.read(piece)).map(name)
}

describe("keys of a terminal", () => {
  it("are told from what it sends, in pieces too", () => {
    expect(read("k\u001b[A\u001bOB\u001b[5~\r\u007f\u0003漢")).toEqual([
      "k",
      "up",
      "down",
      "page-up",
      "enter",
      "backspace",
      "interrupt",
      "漢",
    ])
    expect(read("\u001b[", "B")).toEqual(["down"])
    expect(read("\u001b")).toEqual(["escape"])
  })

  it("that nobody knows are passed over whole, so that no letter of them is a command", () => {
    expect(read("\u001b[1;5D\u001b[24~\u001b[<0;10;10Mq")).toEqual(["q"])
  })

  it("that are pasted are no commands", () => {
    expect(read("\u001b[200~k", "y\u001b[201~q")).toEqual(["(ky)", "q"])
  })

  it("end with what is sent, whatever that is", () => {
    fc.assert(
      fc.property(fc.array(anyText(20), { maxLength: 8 }), (pieces) => {
        const reader = new KeyReader()
        for (const piece of pieces) reader.read(piece)
        expect(reader.read("\u001b[201~\u001b[A").length).toBeLessThanOrEqual(2 * pieces.join("").length + 2)
      }),
    )
  })
})
