import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { fileURLToPath } from "node:url"
import { runTool } from "../support/Tool.js"

const soak = fileURLToPath(new URL("../../scripts/soak/restart.mjs", import.meta.url))

/** Far more than it takes on a busy machine, in milliseconds. */
const limit = 60_000

describe("a restart under load, on a socket that somebody else holds", () => {
  it.live(
    "fails no request (npm run soak:restart)",
    () =>
      Effect.gen(function* () {
        const options = "--mode held --restarts 1 --seconds 1 --stream 1".split(" ")
        const { code, stderr, stdout } = yield* runTool(process.execPath, [soak, ...options])
        assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" }, stdout)
        // There was something to fail.
        for (const kind of ["new connections", "keep-alive", "uploads", "streams", "WebSockets"])
          assert.match(stdout, new RegExp(`^ {2}${kind}: [1-9]\\d* succeeded, 0 failed`, "m"))
      }),
    limit,
  )
})
