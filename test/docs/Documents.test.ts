import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, normalize } from "node:path"
import { describe, expect, it } from "vitest"
import { type FlagGroup, flagsOf } from "../../src/cli/CommandDoc.js"
import type { Flag } from "../../src/cli/Flag.js"
import { runGroups } from "../../src/cli/ProgramFlags.js"
import { sessionsDocs } from "../../src/cli/Sessions.js"
import { defaultSettings } from "../../src/domain/ProxyConfig.js"
import { blocksOf, documents, recipes, root, textOf } from "./Blocks.js"
import { causesOfPage, errorsDocument, withShortTable } from "./ErrorReference.js"
import { withFlagTables, withPolicyTable, withSettingTable } from "./SettingTables.js"
import { withFigures } from "./SpeedTables.js"

/** The rows of a document's tables, as the texts of their cells. */
const rowsOf = (document: string): ReadonlyArray<ReadonlyArray<string>> =>
  textOf(document)
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )

describe("the blocks of the documents", () => {
  const blocks = documents.flatMap(blocksOf)

  it("are all run, shown as the output of one that is, or marked with the reason why not", () => {
    const unmarked = blocks.filter(({ kind }) => kind === "unmarked")
    expect(unmarked.map(({ document, line }) => `${document}:${line}`)).toEqual([])
  })

  for (const { document, line, reason } of blocks.filter(({ kind }) => kind === "not-run"))
    it(`are not run, for a reason: ${document}:${line}, ${reason}`, () => {
      expect(reason.length).toBeGreaterThan(10)
    })
})

describe("the recipes", () => {
  const folder = join(root, "test/recipes")
  const tests = readdirSync(folder).map((name) => readFileSync(join(folder, name), "utf8"))
  const sections = new Set(blocksOf(recipes).map(({ section }) => section))

  it.each([...sections])("are followed by a test: %s", (section) => {
    expect(tests.some((text) => text.includes(`"${section}"`))).toBe(true)
  })
})

describe("the configuration guide", () => {
  const rows = rowsOf("docs/CONFIGURATION.md").filter(([first]) => first?.includes("`--"))
  const groupsOf = (groups: ReadonlyArray<FlagGroup>) => groups.flatMap(({ flags }) => flags)
  const code = (text: string | undefined): string => (text === undefined ? "" : `\`${text}\``)
  const names = ({ name, alias }: Flag): string =>
    alias === undefined ? `\`--${name}\`` : `\`--${name}\` \`-${alias}\``

  // By all of its names: a policy may have the long name of a setting and not the short one, as --timeout has.
  const flags = new Map<string, Flag>()
  for (const flag of [...groupsOf(runGroups), ...sessionsDocs.flatMap(flagsOf)])
    if (!flags.has(names(flag))) flags.set(names(flag), flag)

  it.each([...flags])("has a row for %s with its variable and default", (_, flag) => {
    const row = rows.find(([first]) => first === names(flag))
    expect(row, `docs/CONFIGURATION.md has no row for ${names(flag)}: ${flag.about}`).toBeDefined()
    expect(row?.[1]).toBe(code(flag.env))
    if (flag.fallback !== undefined) expect(row?.[2]).toBe(code(flag.fallback))
  })

  it("has the tables of the program; `node scripts/docs.mjs` writes them", () => {
    expect(textOf("docs/CONFIGURATION.md")).toBe(withFlagTables(textOf("docs/CONFIGURATION.md")))
  })

  it("has no row for a flag that there is not", () => {
    const known = new Set([...flags.keys(), "`--help` `-h`", "`--version` `-v`", "`--completions`"])
    expect(rows.map(([first]) => first ?? "").filter((name) => !known.has(name))).toEqual([])
  })
})

describe("the guide to the database", () => {
  it("has the table of policies of the program; `node scripts/docs.mjs` writes it", () => {
    expect(textOf("docs/DATABASE.md")).toContain("<!-- policies -->")
    expect(textOf("docs/DATABASE.md")).toBe(withPolicyTable(textOf("docs/DATABASE.md")))
  })
})

describe("the library guide", () => {
  it("has the table of the program; `node scripts/docs.mjs` writes it", () => {
    expect(textOf("docs/LIBRARY.md")).toContain("<!-- settings -->")
    expect(textOf("docs/LIBRARY.md")).toBe(withSettingTable(textOf("docs/LIBRARY.md")))
  })

  it("has a row for every setting, with its default", () => {
    const rows = new Map(rowsOf("docs/LIBRARY.md").map(([name = "", value = ""]) => [name, value]))
    const settings = Object.entries(defaultSettings).map(([name, value]) => [
      `\`${name}\``,
      `\`${JSON.stringify(value)}\``,
    ])
    expect(settings.map(([name = ""]) => [name, rows.get(name)])).toEqual(settings)
  })
})

describe("the account of errors", () => {
  it("in docs/ERRORS.md is that of the program; `node scripts/docs.mjs` writes it", () => {
    expect(textOf("docs/ERRORS.md")).toBe(errorsDocument())
    expect(textOf("src/dashboard/Causes.json")).toBe(causesOfPage())
  })

  it("in README.md is that of the program; `node scripts/docs.mjs` writes it", () => {
    expect(textOf("README.md")).toContain("<!-- errors -->")
    expect(textOf("README.md")).toBe(withShortTable(textOf("README.md")))
  })
})

describe("the figures of speed", () => {
  it.each(["README.md", "docs/PERFORMANCE.md"])(
    "in %s are those of scripts/bench/figures.json; `node scripts/docs.mjs` writes them",
    (document) => {
      expect(textOf(document)).toContain("<!-- bench: ")
      expect(textOf(document)).toBe(withFigures(textOf(document), textOf("scripts/bench/figures.json")))
    },
  )
})

describe("the architecture guide", () => {
  const guide = textOf("docs/ARCHITECTURE.md")

  it("has a row for every package in package.json, and for none other", () => {
    const { devDependencies, optionalDependencies, peerDependencies } = JSON.parse(
      readFileSync(join(root, "package.json"), "utf8"),
    )
    const listed = [...guide.matchAll(/^\| `([@\w/.-]*\w)` \|/gm)].map(([, name]) => name)
    expect(listed.toSorted()).toEqual(
      Object.keys({ ...optionalDependencies, ...devDependencies, ...peerDependencies }).toSorted(),
    )
  })

  it("names every folder of src with the floor that scripts/floors.mjs gives it", () => {
    const [, table = ""] =
      /const floors = \{([^}]*)\}/.exec(readFileSync(join(root, "scripts/floors.mjs"), "utf8")) ?? []
    const floors = [...table.matchAll(/"?([\w.]+)"?: (\d+)/g)].map(
      ([, folder, floor]) => `${floor} ${folder === "." ? "src" : folder}`,
    )
    const described = [...guide.matchAll(/^\| (\d+) \| `(?:src\/)?(\w+)\/?` \|/gm)].map(
      ([, floor, folder]) => `${floor} ${folder}`,
    )
    expect(described.toSorted()).toEqual(floors.toSorted())
  })
})

describe("the links of the documents", () => {
  it("lead to files that are there, and to headings in them", () => {
    const broken = documents.flatMap((document) =>
      [...textOf(document).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)].flatMap(
        ([link, path = "", anchor]) => {
          const target = path === "" ? document : normalize(join(dirname(document), path))
          if (!existsSync(join(root, target))) return [`${document}: ${link}`]
          if (anchor === undefined || !target.endsWith(".md")) return []
          const anchors = [...textOf(target).matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
            title
              .toLowerCase()
              .replaceAll(/[^\w\- ]/g, "")
              .replaceAll(" ", "-"),
          )
          return anchors.includes(anchor) ? [] : [`${document}: ${link}`]
        },
      ),
    )
    expect(broken).toEqual([])
  })
})
