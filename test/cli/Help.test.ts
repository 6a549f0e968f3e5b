import { describe, expect, it } from "@effect/vitest"
import { Either } from "effect"
import { readCommandLine } from "../../src/cli/CommandLine.js"
import { fullName } from "../../src/cli/CommandDoc.js"
import { renderHelp } from "../../src/cli/Help.js"
import { docs, programDoc } from "../../src/cli/ProgramDoc.js"
import { plainStyle } from "../../src/cli/Style.js"
import { textOf as fileText } from "../docs/Blocks.js"
import { helpTexts } from "../docs/HelpTexts.js"
import { runProgram } from "./Program.js"

const textOf = (name: string): string => Object.fromEntries(helpTexts())[`${name.replaceAll(" ", "-")}.txt`] ?? ""

/** The words of a command line up to what only a shell understands. */
const wordsOf = (line: string): ReadonlyArray<string> =>
  [...line.replace(/ (&&|\||>|2>|<) .*$/, "").matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, plain]) => double ?? single ?? plain ?? "",
  )

describe("--help", () => {
  it.each(docs.map((doc) => [fullName(doc), doc] as const))("of %s teaches the command", async (name, doc) => {
    const text = textOf(name)
    await expect(text).toMatchFileSnapshot(`help/${name.replaceAll(" ", "-")}.txt`)
    expect(doc.examples.length).toBeGreaterThan(0)
    for (const [example] of doc.examples) {
      expect(text.split("\n").some((line) => line === `  ${example}` || line.startsWith(`  ${example}  `))).toBe(true)
      const [, ...words] = wordsOf(example.replace(/^.*?ss-proxy /, "ss-proxy "))
      expect(Either.getOrThrow(readCommandLine(docs, words))._tag).toMatch(/Command|Help/)
    }
  })

  it("is of every command that the README lists, and the other way round", () => {
    const [, section = ""] = fileText("README.md").split("## Commands\n")
    const listed = [...(section.split("\n## ")[0] ?? "").matchAll(/`(ss-proxy [a-z ]+[a-z])/g)].map(([, name]) => name)
    const all = docs.filter(({ isGroup, path }) => path.length > 0 && isGroup !== true).map(fullName)
    expect(listed.toSorted()).toEqual(all.toSorted())
  })

  it.each([
    [["--help"], "ss-proxy"],
    [["help", "sessions", "watch"], "ss-proxy sessions watch"],
  ])("is printed for %j", async (words, name) => {
    expect(await runProgram(words)).toEqual({ code: 0, stdout: textOf(name), stderr: "" })
  })

  it.each(docs.map((doc) => [fullName(doc), doc] as const))("of %s fits any terminal", (_, { examples, ...doc }) => {
    const shown = { ...doc, examples: examples.map(([, meaning]) => ["ss-proxy", meaning] as const) }
    for (const width of [60, 71, 80, 100])
      for (const line of renderHelp(shown, docs, plainStyle, width).split("\n"))
        expect(line.length, line).toBeLessThanOrEqual(width)
  })

  it("of the program is one screen, which has what somebody needs first", () => {
    const lines = renderHelp(programDoc, docs, plainStyle, 80).split("\n")
    expect(lines.length).toBeLessThanOrEqual(24)
    for (const what of ["run --demo", "sessions add", "help COMMAND", "run --help", "--port", "--host", "--db-path"])
      expect(lines.join("\n")).toContain(what)
  })

  it("names every variable next to its flag", () => {
    for (const name of ["HOST", "PORT", "DB_PATH", "TIMEOUT", "LOG_LEVEL", "DB", "CONNECT_TIMEOUT", "IDLE_TIMEOUT"])
      expect(textOf("ss-proxy run")).toMatch(new RegExp(`env: SS_PROXY_${name}\\]`))
  })
})

describe("--version", () => {
  it.each([["--version"], ["-v"], ["-V"], ["version"]])("answers %s with the version alone", async (flag) => {
    const { code, stdout, stderr } = await runProgram([flag])
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    expect(stdout).toMatch(/^ss-proxy \d+\.\d+\.\d+\n$/)
  })
})
