import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import ts from "typescript"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { docstringExamplesOf, documents, type Example, examplesOf, nameOf, root, shows, textOf } from "./Blocks.js"

const run = promisify(execFile)

/** Where ss-proxy is installed, and what it needs, if not from this project: see scripts/test-peers.mjs. */
const installed = process.env["SS_PROXY_LIBRARY_MODULES"]

// There, nothing else is installed that the programs of other documents import.
const programsIn = installed === undefined ? documents : ["docs/LIBRARY.md"]
const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => `src/${name}`)
const examples: ReadonlyArray<Example> = [
  ...programsIn.flatMap((document) => examplesOf(document, "ts")),
  ...sources.flatMap(docstringExamplesOf),
]

const linkModules = (modules: string): void => {
  if (installed !== undefined) return symlinkSync(installed, modules)
  mkdirSync(modules)
  for (const name of readdirSync(join(root, "node_modules")))
    if (!name.startsWith(".")) symlinkSync(join(root, "node_modules", name), join(modules, name))
  symlinkSync(root, join(modules, "ss-proxy"))
}

/** A package of a reader's own, with ss-proxy and what it needs installed. */
const makePackage = (folder: string): void => {
  linkModules(join(folder, "node_modules"))
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }')
  examples.forEach(({ block }, index) => writeFileSync(join(folder, `example${index}.ts`), block.text))
}

/** Compiles every example as strictly as the project itself. What the compiler has to say, if anything. */
const compile = (folder: string): string => {
  const program = ts.createProgram(
    examples.map((_, index) => join(folder, `example${index}.ts`)),
    {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      lib: ["lib.es2023.d.ts"],
      types: ["node"],
      typeRoots: [join(root, "node_modules", "@types")],
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      // With another version of a peer, the types of the library themselves are what is in doubt.
      skipLibCheck: installed === undefined,
      outDir: folder,
      rootDir: folder,
    },
  )
  const { diagnostics } = program.emit()
  return ts.formatDiagnostics([...ts.getPreEmitDiagnostics(program), ...diagnostics], {
    getCanonicalFileName: (name) => name,
    getCurrentDirectory: () => folder,
    getNewLine: () => "\n",
  })
}

/** For all of it, in milliseconds. The types of the library and of Effect take the compiler long. */
const longest = installed === undefined ? 60_000 : 600_000

const beginning = "--- example"

/** Runs every example, one after another, in one process: what each printed. */
const runAll = async (folder: string): Promise<ReadonlyArray<string>> => {
  const imports = examples.map((_, index) => `console.log("${beginning}")\nawait import("./example${index}.js")\n`)
  writeFileSync(join(folder, "all.js"), imports.join(""))
  const env = { ...process.env, NO_COLOR: "1" }
  const { stdout } = await run(process.execPath, [join(folder, "all.js")], { cwd: folder, env, timeout: 30_000 })
  return stdout.split(`${beginning}\n`).slice(1)
}

describe("the programs of the documents and of docstrings", () => {
  const folder = mkdtempSync(join(tmpdir(), "ss-proxy-library-"))
  let complaints = ""
  let printed: ReadonlyArray<string> = []
  beforeAll(async () => {
    makePackage(folder)
    complaints = compile(folder)
    printed = await runAll(folder)
  }, longest)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it("compile against the built package", () => {
    expect(examples.length).toBeGreaterThan(0)
    expect(complaints).toBe("")
  })

  it("are all that docstrings have", () => {
    const tagged = (source: string): number => textOf(source).split("* @example").length - 1
    const missed = sources.filter((source) => docstringExamplesOf(source).length !== tagged(source))
    expect(missed).toEqual([])
  })

  examples.forEach(({ block, output }, index) => {
    it(`do what they say: ${nameOf(block)}`, () => {
      const said = printed[index] ?? ""
      if (output === undefined) expect(said).toBe("")
      else expect(shows(output, said) ? output : said).toBe(output)
    })
  })
})
