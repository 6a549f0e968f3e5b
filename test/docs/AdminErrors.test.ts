import { describe, expect, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"

/** What makes an error of the admin listener: its status and its code. */
const makers = [
  /problemAnswer\(\s*(\d{3}),\s*"([a-z_]+)"/g,
  /new ApiProblem\(\{\s*status: (\d{3}),\s*code: "([a-z_]+)"/g,
]

const sources = readdirSync("src/admin", { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => readFileSync(`src/admin/${name}`, "utf8"))

const made = sources.flatMap((text) =>
  makers.flatMap((maker) => [...text.matchAll(maker)].map(([, status, code]) => `${status} ${code}`)),
)

describe("the errors of the admin listener", () => {
  it("are all in docs/ADMIN.md, and no others", () => {
    const [, section = ""] = readFileSync("docs/ADMIN.md", "utf8").split("\n### Errors\n")
    const rows = [...section.matchAll(/^\| (\d{3}) \| `([a-z_]+)` \|/gm)]
    const listed = rows.map(([, status, code]) => `${status} ${code}`)
    expect(listed.toSorted()).toEqual([...new Set(made)].toSorted())
    expect(listed.length).toBeGreaterThan(20)
  })
})
