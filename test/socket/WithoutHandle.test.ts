import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { vi } from "vitest"
import { chunk, lastChunk, request } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"

// What a node would be like in which sockets keep their handles under another name.
vi.mock("../../src/socket/NodeHandle.js", () => ({ handleOf: () => undefined, takeHandle: () => undefined }))

describe("where sockets do not give away their handles", () => {
  it.scopedLive("requests are read and answered all the same", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab()
      const client = yield* proxy.connect
      assert.strictEqual((yield* client.ask(request("GET /app/one"))).text, "hello")
      const body = chunk("in ") + chunk("chunks") + lastChunk()
      assert.strictEqual(
        (yield* client.ask(request("POST /app/two", ["Transfer-Encoding: chunked"], body))).text,
        "hello",
      )
      assert.deepStrictEqual(
        origin.requests.map(({ target, text }) => [target, text]),
        [
          ["/one", ""],
          ["/two", "in chunks"],
        ],
      )
    }),
  )
})
