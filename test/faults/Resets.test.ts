import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { request } from "../support/HttpText.js"
import { clientAt, handshake, Survival, survives } from "./Survival.js"

const upload = ["Content-Length: 100000"]

/** Clients that have got as far as is said. What the proxy holds for each has to be given back. */
const phases: Readonly<Record<string, Parameters<typeof clientAt>>> = {
  "waiting for the head": ["/before-head"],
  "in the head of the answer": ["/mid-head"],
  "in the body": ["/mid-body"],
  "in a chunk": ["/mid-chunk"],
  "in a stream": ["/mid-stream"],
  "in its upload": ["/upload", upload, "x".repeat(60_000)],
  "in a download without an end that it does not read": ["/flood"],
  "in a frame of a WebSocket": ["/mid-frame", handshake],
  "between two frames of a WebSocket": ["/socket", handshake],
}

layer(Survival.layer(), { excludeTestServices: true })("a client that is gone", (it) => {
  it.scoped.each(Object.entries(phases))("%s, by a reset or politely", ([_name, [path, lines, body]]) =>
    survives(
      Effect.gen(function* () {
        for (let count = 0; count < 5; count++) {
          const byReset = yield* clientAt(path, lines, body)
          yield* byReset.reset
          const politely = yield* clientAt(path, lines, body)
          yield* Effect.sync(() => politely.socket.destroy())
        }
      }),
    ),
  )

  it.scoped("before its request is whole, by a reset or politely", () =>
    survives(
      Effect.gen(function* () {
        const { connect } = yield* Survival
        for (const piece of ["", "G", "GET /struck/whole HTTP/1.1\r\nHo", request("POST /struck/upload", upload, "x")])
          for (const byReset of [true, false]) {
            const client = yield* connect
            yield* client.send(piece)
            yield* byReset ? client.reset : Effect.sync(() => client.socket.destroy())
          }
      }),
    ),
  )

  it.scoped("behind requests in one packet, by a reset", () =>
    survives(
      Effect.gen(function* () {
        const { connect, proxy } = yield* Survival
        for (let count = 0; count < 20; count++) {
          const client = yield* connect
          yield* client.send(request("GET /struck/whole") + request("GET /struck/before-head").repeat(3))
          yield* client.reset
        }
        assert.notInclude(proxy.said, "EPIPE")
      }),
    ),
  )
})
