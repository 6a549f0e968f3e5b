import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { answerCauses } from "../../src/telemetry/Causes.js"
import { describeUnless } from "../support/LeftOut.js"
import { isInstalled, runTool } from "../support/Tool.js"
import { root, textOf } from "./Blocks.js"
import { namesIn, strangersIn } from "./Queries.js"

const file = "docs/alerts.yml"
const rules = [...textOf(file).matchAll(/^ {6}- alert: (\w+)\n {8}expr: (.*)$/gm)].map(([, name = "", query = ""]) => ({
  name,
  query,
}))

describe("the alerts", () => {
  it("ask for metrics and labels of the catalogue, but for one about the scrape itself", () => {
    assert.strictEqual(rules.length, textOf(file).split("- alert:").length - 1)
    for (const { name, query } of rules) {
      assert.deepStrictEqual(strangersIn(query), [], query)
      if (name !== "SsProxyDown") assert.isAbove(namesIn(query).length, 0, query)
    }
  })

  it("name causes that there are", () => {
    const causes = answerCauses.map(({ cause }) => cause)
    for (const { query } of rules) {
      for (const [, named = ""] of query.matchAll(/cause=~"([^"]*)"/g))
        for (const one of named.split("|"))
          assert.isTrue(
            causes.some((cause) => new RegExp(`^(?:${one})$`).test(cause)),
            one,
          )
    }
  })

  it("each have a row in the guide, and no other has", () => {
    const told = [...textOf("docs/OPERATIONS.md").matchAll(/^\| `(SsProxy\w+)` \|/gm)].map(([, name = ""]) => name)
    assert.deepStrictEqual(
      told,
      rules.map(({ name }) => name),
    )
  })
})

const noPromtool = isInstalled("promtool") ? undefined : "promtool is not here; Debian has it in its package prometheus"

describeUnless(noPromtool)("promtool", () => {
  it.scopedLive("reads the alerts", () =>
    Effect.gen(function* () {
      const { code, stderr, stdout } = yield* runTool("promtool", ["check", "rules", `${root}${file}`])
      assert.strictEqual(code, 0, stdout + stderr)
      assert.include(stdout, `${rules.length} rules found`)
    }),
  )
})
