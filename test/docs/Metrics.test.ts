import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { metrics } from "../../src/telemetry/Catalogue.js"
import { temporaryFolder } from "../sessions/temporary.js"
import { describeUnless } from "../support/LeftOut.js"
import { isInstalled, runTool } from "../support/Tool.js"
import { textOf } from "./Blocks.js"
import { metricsDocument } from "./MetricsReference.js"
import { namesIn, strangersIn } from "./Queries.js"

const board = textOf("docs/grafana.json")

/** The queries of the board. */
const boardQueries = (): ReadonlyArray<string> => {
  const found: Array<string> = []
  JSON.parse(board, (key, value) => {
    if (key === "expr") found.push(String(value))
    return value
  })
  return found
}

/** The queries of docs/METRICS.md: cells of its last table. */
const documentQueries = (): ReadonlyArray<string> =>
  [...metricsDocument().matchAll(/^\| [^|]*\? \| `(.*)` \|$/gm)].map(([, query = ""]) => query)

describe("the guide to metrics", () => {
  it("is that of the catalogue; `node scripts/docs.mjs` writes it", () => {
    assert.strictEqual(textOf("docs/METRICS.md"), metricsDocument())
  })

  it("has each metric in one table", () => {
    for (const { name, type } of metrics)
      assert.strictEqual(metricsDocument().split(`\n| \`${name}\` | ${type} |`).length, 2, name)
  })
})

describe("the queries of the board and of the guide", () => {
  const queries = [...boardQueries(), ...documentQueries()]

  it("are there", () => {
    assert.isAbove(boardQueries().length, 40)
    assert.strictEqual(documentQueries().length, 6)
  })

  it("ask for metrics and labels of the catalogue", () => {
    for (const query of queries) {
      assert.isAbove(namesIn(query).length, 0, query)
      assert.deepStrictEqual(strangersIn(query), [], query)
    }
  })

  it("show every metric", () => {
    const shown = new Set(queries.flatMap(namesIn).map((name) => name.replace(/_bucket$/, "")))
    const missing = metrics.filter(({ name }) => !shown.has(name))
    assert.deepStrictEqual(
      missing.map(({ name }) => name),
      [],
    )
  })

  it("have panels of their own on the board", () => {
    const ids = [...board.matchAll(/^ {6}"id": (\d+)/gm)].map(([, id]) => id)
    assert.strictEqual(new Set(ids).size, ids.length)
  })
})

const noPromtool = isInstalled("promtool") ? undefined : "promtool is not here; Debian has it in its package prometheus"

describeUnless(noPromtool)("promtool", () => {
  it.scopedLive("reads every query of the board and of the guide", () =>
    Effect.gen(function* () {
      const file = join(yield* temporaryFolder, "rules.json")
      const queries = [...boardQueries(), ...documentQueries()]
      const plain = queries.map((query) => query.replaceAll("$__rate_interval", "1m"))
      const rules = plain.map((expr, index) => ({ record: `query:${index}`, expr }))
      // What is JSON is YAML.
      writeFileSync(file, JSON.stringify({ groups: [{ name: "queries", rules }] }))
      const { code, stdout, stderr } = yield* runTool("promtool", ["check", "rules", file])
      assert.strictEqual(code, 0, stdout + stderr)
      assert.include(stdout, `${queries.length} rules found`)
    }),
  )
})
