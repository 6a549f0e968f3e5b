import { blocksOf } from "./Blocks.js"

/** Some lines of a file, and what stands in their place then. */
export interface Change {
  readonly file: string
  /** `undefined` where the file is new. */
  readonly before: string | undefined
  readonly after: string
}

const linesOf = (text: string, signs: string): string =>
  text
    .split("\n")
    .filter((line) => line === "" || signs.includes(line.charAt(0)))
    .map((line) => `${line.slice(1)}\n`)
    .join("")

/** A block of changes: each file behind a line `+++ file`, its places apart by lines `@@`. */
const changesOf = (text: string): ReadonlyArray<Change> =>
  text
    .split(/^\+\+\+ /m)
    .slice(1)
    .flatMap((part) => {
      const end = part.indexOf("\n")
      const places = part.slice(end + 1).split(/^@@\n/m)
      return places.map((place) => ({
        file: part.slice(0, end),
        before: linesOf(place.replace(/\n$/, ""), " -"),
        after: linesOf(place.replace(/\n$/, ""), " +"),
      }))
    })

/** A whole new file, whose name its first line says. */
const newFile = (text: string): Change => {
  const [, file = "", after = ""] = /^\/\/ (\S+)\n([^]*)$/.exec(text) ?? []
  return { file, before: undefined, after }
}

/** The worked examples of docs/CONTRIBUTING.md, in their order. */
export const workedExamples: ReadonlyArray<Change> = blocksOf("docs/CONTRIBUTING.md").flatMap(({ language, text }) =>
  language === "diff" ? changesOf(text) : [newFile(text)],
)

/** A text with a change made; fails where that has no place, or more than one. */
export const changed = (text: string, { after, before, file }: Change): string => {
  const pieces = text.split(before ?? "")
  if (before === undefined || pieces.length !== 2)
    throw new Error(
      `${file} has these lines ${before === undefined ? 0 : pieces.length - 1} times, not once:\n${before}`,
    )
  return pieces.join(after)
}
