import { existsSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { root, textOf } from "./Blocks.js"

/** The rows of the table of promises: what is promised, the file that holds it, and a name of a test there. */
const promises = [
  ...textOf("docs/SECURITY.md").matchAll(/^\| (?<promise>[^|]+) \| `(?<file>test\/[^`]+)`: "(?<name>[^|]+)" \|$/gm),
].map(({ groups }) => ({
  promise: groups?.["promise"] ?? "",
  file: groups?.["file"] ?? "",
  name: groups?.["name"] ?? "",
}))

describe("the promises of docs/SECURITY.md", () => {
  it("are all rows that name a test", () => {
    const section = /^## What is promised$([^]*?)^## /m.exec(textOf("docs/SECURITY.md"))?.[1] ?? ""
    const rows = section.split("\n").filter((line) => line.startsWith("| "))
    // The first two rows are the head of the table and its line.
    expect(promises.length).toBe(rows.length - 2)
    expect(promises.length).toBeGreaterThan(20)
  })

  it.each(promises)("are held by a test that is there: $promise", ({ file, name }) => {
    expect(existsSync(join(root, file)), file).toBe(true)
    expect(textOf(file), `${file} has no test of this name`).toContain(name)
  })
})
