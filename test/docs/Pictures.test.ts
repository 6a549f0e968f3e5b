import { readdirSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { settingRows } from "../../src/domain/Settings.js"
import { describeError } from "../../src/wire/Reply.js"
import { documents, root, textOf } from "./Blocks.js"
import { errorSamples } from "./ErrorReference.js"

const pictures = readdirSync(`${root}docs/img`).filter((name) => name.endsWith(".svg"))
const drawn = ["changes.svg", "deployment.svg", "timeouts.svg", "tree-502.svg"]

/** The texts of a picture, in order. */
const wordsOf = (picture: string): ReadonlyArray<string> =>
  [...textOf(`docs/img/${picture}`).matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text = ""]) => text)

describe("the pictures of the documents", () => {
  it("all have words for who cannot see them, in the picture and where it is shown", () => {
    const shown = documents.flatMap((document) => [...textOf(document).matchAll(/!\[([^\]]*)\]\(([^)]+)\)/g)])
    expect(shown.filter(([, words = ""]) => words.length < 15).map(([all]) => all)).toEqual([])
    for (const picture of pictures) expect(textOf(`docs/img/${picture}`), picture).toMatch(/aria-label="[^"]{15}/)
  })

  it.each(drawn)("are for light and for dark: %s", (picture) => {
    expect(textOf(`docs/img/${picture}`)).toContain("prefers-color-scheme: dark")
  })
})

describe("the picture of timeouts", () => {
  it("has flags that there are, with their defaults", () => {
    const words = wordsOf("timeouts.svg")
    const shown = words.flatMap((word, index) => (word.startsWith("--") ? [[word.slice(2), words[index + 1]]] : []))
    const defaults = new Map(Object.values(settingRows).map(({ fallback, flag }) => [flag?.name, fallback]))
    const actual = shown.map(([name]) => {
      const fallback = defaults.get(name)
      return [name, fallback === 0 ? "off" : `${Number(fallback) / 1_000} s`]
    })
    expect(shown.length).toBeGreaterThan(8)
    expect(shown).toEqual(actual)
  })
})

describe("the tree for 502", () => {
  it("has every code and every reason of a 502", () => {
    const words = wordsOf("tree-502.svg").join("\n")
    for (const error of errorSamples) {
      const { code, status } = describeError(error)
      if (status !== 502) continue
      if (code.endsWith("_invalid")) expect(words).toContain("…_invalid")
      else expect(words.split("\n")).toContain(code)
      if (error._tag === "DownstreamUnreachable" && error.reason !== "failed")
        expect(words.split("\n")).toContain(error.reason)
    }
  })
})
