import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

/** The project's folder, with a slash at its end. */
export const root = fileURLToPath(new URL("../../", import.meta.url))

/** Every document whose examples are tried. */
export const documents: ReadonlyArray<string> = [
  "README.md",
  "README.zh.md",
  "CHANGELOG.md",
  "packaging/README.md",
  ...readdirSync(`${root}docs`)
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
]

export const textOf = (document: string): string => readFileSync(`${root}${document}`, "utf8")

/** README.md in Chinese. Its examples are those of README.md: test/docs/Chinese.test.ts holds it to that. */
export const chinese = "README.zh.md"

/** A document whose recipes are each followed on their own, with the software that they are for: see test/recipes. */
export const recipes = "docs/RECIPES.md"

/** A fenced block of a document. What stands behind its opening fence says what is done with it. */
export interface Block {
  readonly document: string
  readonly line: number
  /** The heading of the second level that it stands under. */
  readonly section: string
  readonly language: string
  /**
   * `run`: tried (`sh` and `ts` do not need to say so). `background`: left running while the rest of the document is
   * tried. `output`: what the block before it prints. `file`: is written first. `not-run`: shown only, for a reason.
   * `unmarked`: none of these.
   */
  readonly kind: "run" | "background" | "output" | "file" | "not-run" | "unmarked"
  /** What the file is called. */
  readonly file: string
  /** Why it is not run. */
  readonly reason: string
  readonly text: string
}

const kindOf = (language: string, note: string): Block["kind"] => {
  if (note.startsWith("not-run:")) return "not-run"
  if (note.startsWith("file: ")) return "file"
  if (note === "background" || note === "output") return note
  return note === "" && (language === "sh" || language === "ts") ? "run" : "unmarked"
}

/** The fenced blocks of a document, in order. */
export const blocksOf = (document: string): ReadonlyArray<Block> => {
  const markdown = textOf(document)
  return [...markdown.matchAll(/^```(\S*)[ \t]*(.*)\n([^]*?)^```$/gm)].map((match) => {
    const [, language = "", note = "", text = ""] = match
    const before = markdown.slice(0, match.index)
    return {
      document,
      line: before.split("\n").length,
      section:
        before
          .match(/^## .*$/gm)
          ?.at(-1)
          ?.slice(3) ?? "",
      language,
      kind: kindOf(language, note),
      file: note.replace(/^file: /, ""),
      reason: note.replace(/^not-run:\s*/, ""),
      text,
    }
  })
}

/** A block that is tried, and what it should print, where the document shows that. */
export interface Example {
  readonly block: Block
  readonly output: string | undefined
}

/** The blocks of one language that are tried, each with the output that follows it. */
export const examplesOf = (document: string, language: string): ReadonlyArray<Example> => {
  const blocks = blocksOf(document)
  return blocks.flatMap((block, index) => {
    if (block.language !== language || (block.kind !== "run" && block.kind !== "background")) return []
    const next = blocks[index + 1]
    return [{ block, output: next?.kind === "output" ? next.text : undefined }]
  })
}

const docstringExample = /^ +\* @example\n +\* ```ts\n((?: +\*.*\n)*?) +\* ```$/gm

/** The examples in the docstrings of a source. What one prints stands behind `// prints: `, a line for each. */
export const docstringExamplesOf = (source: string): ReadonlyArray<Example> => {
  const text = textOf(source)
  return Array.from(text.matchAll(docstringExample), ({ 1: lines = "", index }) => {
    const program = lines.replaceAll(/^ +\* ?/gm, "")
    const printed = Array.from(program.matchAll(/^\/\/ prints: (.*)$/gm), ([, line]) => line)
    const line = text.slice(0, index).split("\n").length
    const block: Block = {
      document: source,
      line,
      section: "",
      language: "ts",
      kind: "run",
      file: "",
      reason: "",
      text: program,
    }
    return { block, output: printed.length === 0 ? undefined : printed.join("\n") }
  })
}

/** How a block is named in the list of tests. */
export const nameOf = ({ document, line, text }: Block): string => `${document}:${line} ${text.trim().split("\n")[0]}`

const escaped = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&")

/** Whether a text is what a document shows: `…` stands for any text in a line, a line of it for any lines. */
export const shows = (shown: string, actual: string): boolean => {
  const lines = shown.trim().split("\n")
  const pattern = lines.map((line) =>
    line.trim() === "…" ? "(?:.*\\n)*" : `${line.trimEnd().split("…").map(escaped).join(".*")}[ \\t]*\\n`,
  )
  return new RegExp(`^${pattern.join("")}$`).test(`${actual.replaceAll("\r", "").trim()}\n`)
}
