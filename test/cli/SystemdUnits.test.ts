import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { settings } from "../../src/domain/Settings.js"
import { temporaryFolder } from "../sessions/temporary.js"
import { describeUnless, lacking } from "../support/LeftOut.js"
import { runTool } from "../support/Tool.js"

const unit = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../../packaging/systemd/${name}`, import.meta.url)), "utf8")

const program = "/usr/local/bin/ss-proxy run"

describe("the service unit", () => {
  it("gives the proxy more time to stop than it takes by default", () => {
    const seconds = Number(/^TimeoutStopSec=(\d+)$/m.exec(unit("ss-proxy.service"))?.[1])
    assert.isAbove(seconds * 1_000, settings.drainDelay.fallback + settings.grace.fallback + 1_000)
  })
})

describeUnless(lacking("systemd-analyze"))("the units for systemd", () => {
  it.scopedLive("are valid", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const files = ["ss-proxy.service", "ss-proxy.socket"].map((name) => {
        const text = unit(name)
        const file = join(folder, name)
        // The program need not be installed here.
        writeFileSync(file, text.replace(program, "/bin/true"))
        return file
      })
      assert.include(unit("ss-proxy.service"), `ExecStart=${program}\n`)
      assert.deepStrictEqual(yield* runTool("systemd-analyze", ["verify", ...files]), {
        code: 0,
        stdout: "",
        stderr: "",
      })
    }),
  )
})
