import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { startRelay } from "../../src/admin/Relay.js"
import { chunk, lastChunk, request } from "../support/HttpText.js"
import { RawClient } from "../support/RawClient.js"
import { startAdminLab } from "./AdminLab.js"

/** A relay to the socket of a proxy, and what asks it on a new connection. */
const startRelayLab = Effect.gen(function* () {
  const lab = yield* startAdminLab()
  const relay = yield* startRelay({ path: () => lab.adminSocket, lost: () => {} })
  const ask = (line: string, fields: ReadonlyArray<string> = [], body = "") =>
    Effect.scoped(
      Effect.flatMap(RawClient.connect(relay.port), (client) =>
        client.ask(request(line, fields).replace("proxy.test", "localhost"), body),
      ),
    )
  const askWithToken = (line: string, fields: ReadonlyArray<string> = [], body = "") =>
    ask(line, [`Authorization: Bearer ${relay.token}`, ...fields], body)
  return { ...lab, ask, askWithToken }
})

describe("the relay of the dashboard", () => {
  it.scopedLive("passes no bytes on to the socket that would be a request there", () =>
    Effect.gen(function* () {
      const { ask, askSocket, askWithToken } = yield* startRelayLab
      const hidden = request("DELETE /v1/sessions/app")
      const fields = ["Transfer-Encoding: chunked"]
      const body = chunk(hidden) + lastChunk()
      for (const line of ["GET /livez", "HEAD /metrics", "DELETE /livez", "OPTIONS /x", "TRACE /x"])
        yield* ask(line, fields, body)
      for (const line of ["GET /v1/version", "DELETE /v1/sessions/x", "POST /v1/sessions/app/touch"])
        yield* askWithToken(line, fields, body)
      yield* ask("GET /livez", [`Content-Length: ${hidden.length}`], hidden)
      assert.strictEqual((yield* askSocket("GET /v1/sessions/app")).status, 200)
    }),
  )

  it.scopedLive("asks for its token however the path of a call is written, and hands out no others", () =>
    Effect.gen(function* () {
      const { ask, askWithToken } = yield* startRelayLab
      for (const path of [
        "/v1/%73essions",
        "/%761/sessions",
        "//a//b/v1/sessions",
        "http://x//b/v1/sessions",
        "/\\v1/sessions",
      ])
        assert.include([401, 404], (yield* ask(`GET ${path}`)).status, path)
      for (const path of ["/v1/%74okens", "/v1/tokens;x", "//v1/tokens"]) {
        const fields = ["Content-Type: application/json", "Content-Length: 2"]
        assert.include([403, 404, 405], (yield* askWithToken(`POST ${path}`, fields, "{}")).status, path)
      }
    }),
  )

  it.scopedLive("passes bodies on, whether their length is known or not", () =>
    Effect.gen(function* () {
      const { askWithToken } = yield* startRelayLab
      const body = '{"url":"http://localhost:1"}'
      const type = "Content-Type: application/json"
      const known = yield* askWithToken("PUT /v1/sessions/one", [type, `Content-Length: ${body.length}`], body)
      const chunked = yield* askWithToken(
        "PUT /v1/sessions/two",
        [type, "Transfer-Encoding: chunked"],
        chunk(body) + lastChunk(),
      )
      assert.deepStrictEqual([known.status, chunked.status], [201, 201])
    }),
  )
})
