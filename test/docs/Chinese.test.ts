import { describe, expect, it } from "vitest"
import { blocksOf, chinese, textOf } from "./Blocks.js"

const english = "README.md"

/** A document without its blocks. */
const proseOf = (document: string): string => textOf(document).replaceAll(/^```[^]*?^```$/gm, "")

const linesOf = (document: string): ReadonlyArray<string> => proseOf(document).split("\n")

/** How deep each heading is, in order. */
const outlineOf = (document: string) => linesOf(document).flatMap((line) => /^#+(?= )/.exec(line) ?? [])

/** Where links and pictures lead, in order. The two documents link to each other. */
const linksOf = (document: string) =>
  [...proseOf(document).matchAll(/\]\(([^)]+)\)/g)].map(([, target = ""]) =>
    target === english || target === chinese ? "the other" : target,
  )

/** How many cells each row of a table has. */
const tablesOf = (document: string) =>
  linesOf(document)
    .filter((line) => line.startsWith("|"))
    .map((line) => line.split("|").length - 2)

/** What is code in the text. */
const codeOf = (document: string) => [...proseOf(document).matchAll(/`([^`]+)`/g)].map(([, code]) => code).toSorted()

/** Under each heading, how many items its lists have. */
const itemsOf = (document: string) =>
  proseOf(document)
    .split(/^#+ .*$/m)
    .map((section) => section.split("\n").filter((line) => line.startsWith("- ")).length)

const partsOf = (document: string) => blocksOf(document).map(({ language, kind, text }) => ({ language, kind, text }))

describe("the README in Chinese", () => {
  it.each([
    ["the same commands, and the same output", partsOf],
    ["the same headings", outlineOf],
    ["the same links and pictures", linksOf],
    ["tables of the same shape", tablesOf],
    ["as many items in each list", itemsOf],
    ["the same names of commands, flags and files", codeOf],
  ] as const)("has %s", (_, of) => {
    expect(of(english).length).toBeGreaterThan(5)
    expect(of(chinese)).toEqual(of(english))
  })

  it("is in Chinese wherever the other is in English", () => {
    const untranslated = linesOf(chinese).filter(
      (line) =>
        /[a-z]{3,} [a-z]{3,}/.test(line.replaceAll(/`[^`]*`|\([^)]*\)|<!--.*-->/g, "")) &&
        !/\p{Script=Han}/u.test(line),
    )
    expect(untranslated).toEqual([])
  })
})
