import { execFile } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { ProjectCopy } from "../support/ProjectCopy.js"
import { root, textOf } from "./Blocks.js"
import { type Change, changed, workedExamples } from "./WorkedExamples.js"

const guide = textOf("docs/CONTRIBUTING.md")

describe("the guide for contributors", () => {
  it("names files and folders that are there", () => {
    const isOfExamples = (name: string) =>
      workedExamples.some(({ before, file }) => before === undefined && file === name)
    const named = [...guide.matchAll(/`((?:src|test|scripts|docs)\/[\w/.-]*\w\/?)`/g)].map(([, name = ""]) => name)
    expect(named.length).toBeGreaterThan(10)
    expect(named.filter((name) => !existsSync(join(root, name)) && !isOfExamples(name))).toEqual([])
  })

  it("names scripts and tests that are there", () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
    const run = [...guide.matchAll(/npm run ([\w:-]+)/g)].map(([, name = ""]) => name)
    expect(run.filter((name) => !Object.hasOwn(scripts, name))).toEqual([])
    const tests = [...guide.matchAll(/npm test -- ([^`]+)`/g)].flatMap(([, names = ""]) => names.split(" "))
    const isThere = (name: string) => existsSync(join(root, name)) || existsSync(join(root, `${name}.test.ts`))
    expect(tests.filter((name) => !isThere(name))).toEqual([])
  })

  it("is not alone in naming the scripts for everyday", () => {
    const missing = ["dev", "test:fast", "test:nodes"].flatMap((name) =>
      ["docs/CONTRIBUTING.md", "docs/ARCHITECTURE.md", "README.md"].flatMap((document) =>
        textOf(document).includes(`npm run ${name}\``) ? [] : [`${document}: npm run ${name}`],
      ),
    )
    expect(missing).toEqual([])
  })
})

describe("the worked metric", () => {
  it("is counted as those that there are", () => {
    const shapeOf = (text: string | undefined, call: string): string | undefined =>
      new RegExp(`  ${call}\\(\\): void {\\n(    this[^\\n]*offset, 1\\)\\n  }\\n)`).exec(text ?? "")?.[1]
    const example = workedExamples.find(({ file }) => file === "src/telemetry/Telemetry.ts")?.after
    const shape = shapeOf(example, "longQueryRefused")
    expect(shape).toBeDefined()
    expect(shape?.replace("longQueries", "retries")).toBe(
      shapeOf(textOf("src/telemetry/Telemetry.ts"), "requestRetried"),
    )
  })
})

describe("the fast tests", () => {
  const script = readFileSync(join(root, "scripts", "test-fast.mjs"), "utf8")
  const listed = [...script.matchAll(/^ {2}"(test\/[^"]+)",$/gm)].map(([, name = ""]) => name)

  it("are files and folders that are there", () => {
    const isThere = (name: string) => existsSync(join(root, name.endsWith("/") ? name : `${name}.test.ts`))
    expect(listed.length).toBeGreaterThan(5)
    expect(listed.filter((name) => !isThere(name))).toEqual([])
  })
})

describe("the worked examples for contributors", () => {
  let copy: ProjectCopy
  beforeAll(() => {
    copy = new ProjectCopy()
    for (const change of workedExamples) copy.write(change.file, textBehind(change))
  })
  afterAll(() => copy.remove())

  const textBehind = (change: Change): string =>
    change.before === undefined ? change.after : changed(copy.read(change.file), change)

  const files = [...new Set(workedExamples.map(({ file }) => file))]

  /** Runs a tool of the project on the copy; what it says, where it fails. */
  const complaintsOf = async (...args: ReadonlyArray<string>): Promise<string> => {
    const options = { cwd: copy.folder, timeout: 90_000, env: { ...process.env, NO_COLOR: "1" } }
    try {
      await promisify(execFile)(process.execPath, [...args], options)
      return ""
    } catch (error) {
      const { stderr, stdout } = Object(error)
      return `${String(error)}\n${stdout}\n${stderr}`
    }
  }

  const bin = (name: string) => join(copy.folder, "node_modules", ".bin", name)

  it("compile", async () => {
    const include = ["src", ...files.filter((file) => file.startsWith("test/"))]
    copy.write("tsconfig.examples.json", JSON.stringify({ extends: "./tsconfig.json", include }))
    const complaints = await complaintsOf(bin("tsc"), "--noEmit", "-p", "tsconfig.examples.json")
    expect(complaints).toBe("")
  }, 120_000)

  it("pass the project's lint", async () => {
    expect(await complaintsOf(bin("oxlint"), "--deny-warnings", ...files)).toBe("")
    expect(await complaintsOf("scripts/floors.mjs")).toBe("")
  }, 60_000)

  it("are formatted", async () => {
    expect(await complaintsOf(bin("oxfmt"), "--check", ...files)).toBe("")
  })

  it("do what their tests say", async () => {
    const tests = files.filter((file) => file.endsWith(".test.ts"))
    expect(tests.length).toBe(2)
    const vitest = join(copy.folder, "node_modules", "vitest", "vitest.mjs")
    expect(await complaintsOf(vitest, "run", "--root", copy.folder, ...tests)).toBe("")
  }, 120_000)

  it("are in help and documents once scripts/docs.mjs has run", async () => {
    expect(await complaintsOf("scripts/docs.mjs")).toBe("")
    const expected = [
      ["docs/ERRORS.md", "## 414 `query_too_long`"],
      ["docs/METRICS.md", "| `ss_proxy_long_queries_total` | counter |"],
      ["docs/CONFIGURATION.md", "| `--max-query` | `SS_PROXY_MAX_QUERY` | `32k` |"],
      ["docs/LIBRARY.md", "| `maxQueryBytes` | `32768` | bytes |"],
      ["docs/DATABASE.md", "| `max_query` |"],
      ["test/cli/help/ss-proxy-run.txt", "--max-query BYTES"],
      ["test/cli/help/ss-proxy-sessions-set.txt", "--max-query BYTES"],
    ] as const
    expect(expected.filter(([file, text]) => !copy.read(file).includes(text))).toEqual([])
  }, 60_000)

  it("are needed: an error without an answer, a cause or an entry in the documents, does not compile", async () => {
    const without = ["src/telemetry/Causes.ts", "src/wire/Reply.ts", "test/docs/ErrorReference.ts"]
    for (const file of without) copy.write(file, readFileSync(join(root, file), "utf8"))
    copy.write("tsconfig.examples.json", JSON.stringify({ extends: "./tsconfig.json", include: without }))
    const complaints = await complaintsOf(bin("tsc"), "--noEmit", "--pretty", "false", "-p", "tsconfig.examples.json")
    const faulty = [...complaints.matchAll(/^(\S+\.ts)\(.*Property 'QueryTooLong' is missing/gm)].map(
      ([, file]) => file,
    )
    expect(faulty.toSorted()).toEqual(without)
  }, 120_000)
})
