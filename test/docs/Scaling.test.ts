import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { runGroups } from "../../src/cli/ProgramFlags.js"
import { temporaryFolder } from "../sessions/temporary.js"
import { describeUnless, lacking } from "../support/LeftOut.js"
import { runTool } from "../support/Tool.js"
import { blocksOf } from "./Blocks.js"

const blocks = blocksOf("docs/SCALING.md")

/** The file that the document shows under this name. */
const textOf = (name: string): string => {
  const block = blocks.find(({ file, kind }) => kind === "file" && file === name)
  if (block === undefined) throw new Error(`docs/SCALING.md has no ${name}`)
  return block.text
}

describeUnless(lacking("haproxy"))("the configuration of HAProxy for many proxies", () => {
  it.scopedLive.each([
    ["any proxy for a session", "  balance leastconn\n"],
    ["one proxy for a session", textOf("consistent.cfg")],
  ] as const)("is one without errors and warnings: %s", ([, balance]) =>
    Effect.gen(function* () {
      const file = join(yield* temporaryFolder, "haproxy.cfg")
      writeFileSync(file, textOf("haproxy.cfg").replace("  balance leastconn\n", balance))
      assert.include(readFileSync(file, "utf8"), balance)
      const { code, stderr } = yield* runTool("haproxy", ["-c", "-q", "-f", file])
      assert.deepStrictEqual([code, stderr], [0, ""])
    }),
  )
})

describeUnless(lacking("nginx"))("the configuration of nginx for many proxies", () => {
  it.scopedLive("is one without errors and warnings", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      writeFileSync(join(folder, "fleet.conf"), textOf("fleet.conf"))
      const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
        (kind) => `${kind}_temp_path ${folder};`,
      )
      const http = `http { access_log off; ${temporary.join(" ")} include fleet.conf; }`
      writeFileSync(join(folder, "nginx.conf"), `pid ${folder}/pid; error_log stderr; events {} ${http}`)
      const { code, stderr } = yield* runTool("nginx", ["-t", "-q", "-p", folder, "-c", "nginx.conf", "-e", "stderr"])
      assert.deepStrictEqual([code, stderr], [0, ""])
    }),
  )
})

describe("the layouts of docs/SCALING.md", () => {
  it("use variables that the program has", () => {
    const known = new Set(runGroups.flatMap(({ flags }) => flags).map(({ env }) => env))
    const used = blocks.flatMap(({ text }) => text.match(/\bSS_PROXY_\w+/g) ?? [])
    assert.isNotEmpty(used)
    assert.deepStrictEqual(
      used.filter((name) => !known.has(name)),
      [],
    )
  })
})
