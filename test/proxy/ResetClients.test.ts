import { execFileSync } from "node:child_process"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { request } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"

/** Asks, and resets the connection at once, from another process: this one accepts it when it is reset already. */
const askAndReset = (port: number, text: string): void => {
  const program = `const socket = require("node:net").connect(${port}, "127.0.0.1", () => {
    socket.write(${JSON.stringify(text)}, () => socket.resetAndDestroy())
  })`
  execFileSync(process.execPath, ["-e", program])
}

describe("a client that has reset its connection before it is accepted", () => {
  it.scopedLive("is nobody: it has no address, so that no server is asked on its behalf", () =>
    Effect.gen(function* () {
      const { ask, origin, proxy } = yield* startLab()
      askAndReset(proxy.port, request("GET /app/x"))
      yield* ask(request("GET /app/second"))
      assert.include((yield* origin.request()).target, "second")
      yield* proxy.quiet
    }),
  )
})
