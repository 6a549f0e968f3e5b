import { assert, layer } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import type { NotSeen } from "../support/Changes.js"
import { request } from "../support/HttpText.js"
import type { RawClient } from "../support/RawClient.js"
import { clientAt, handshake, Survival, survives } from "./Survival.js"

/** What the client of each phase sees when the server is killed. */
type Seen = (client: RawClient) => Effect.Effect<void, NotSeen>

const isAnswered: Seen = (client) =>
  Effect.map(client.response(), ({ status, text }) => {
    assert.strictEqual(status, 502)
    assert.include(text, '"code":"downstream_reset"')
  })

const isCut: Seen = (client) => Effect.map(client.gone, (how) => assert.strictEqual(how, "reset"))

const isClosed: Seen = (client) => Effect.map(client.gone, () => assert.match(client.text, /\x88[\x02-\x7d]\x03\xf3/))

interface Phase {
  readonly path: string
  readonly seen: Seen
  readonly lines?: ReadonlyArray<string>
  readonly body?: string
}

const phases: Readonly<Record<string, Phase>> = {
  "before the head": { path: "/before-head", seen: isAnswered },
  "in the head": { path: "/mid-head", seen: isAnswered },
  "in a body with a length": { path: "/mid-body", seen: isCut },
  "in a chunk": { path: "/mid-chunk", seen: isCut },
  "between two events of a stream": { path: "/mid-stream", seen: isCut },
  "in an upload": {
    path: "/upload",
    seen: isAnswered,
    lines: ["Content-Length: 100000"],
    body: "x".repeat(60_000),
  },
  // A close frame cannot follow half a frame.
  "in a frame of a WebSocket": {
    path: "/mid-frame",
    seen: (client) => Effect.zipRight(client.seen("x".repeat(50)), Effect.asVoid(client.gone)),
    lines: handshake,
  },
  "between two frames of a WebSocket, which is closed with 1011": { path: "/socket", seen: isClosed, lines: handshake },
}

/** Waits until an answer is whole, or its connection gone. */
const isOver: Seen = (client) =>
  client.shows("an end", () => client.isOver || client.text.includes('"code":"downstream_reset"'))

const statusOfStruck = Effect.gen(function* () {
  const client = yield* (yield* Survival).connect
  return (yield* client.ask(request("GET /struck/whole"))).status
}).pipe(Effect.scoped)

layer(Survival.layer(), { excludeTestServices: true })("a server that is killed", (it) => {
  it.scoped.each(Object.entries(phases))("%s", ([_name, { body, lines, path, seen }]) =>
    Effect.gen(function* () {
      const { struck } = yield* Survival
      yield* survives(
        Effect.gen(function* () {
          const client = yield* clientAt(path, lines, body)
          yield* struck.kill
          yield* seen(client)
        }).pipe(Effect.ensuring(struck.restart)),
      )
    }),
  )

  it.scoped("with many things under way is missed by nobody else, and is asked again when it is back", () =>
    Effect.gen(function* () {
      const { asksSteady, struck } = yield* Survival
      yield* survives(
        Effect.gen(function* () {
          const paths = ["/before-head", "/mid-head", "/mid-body", "/mid-chunk"]
          const clients = yield* Effect.forEach([...paths, ...paths, ...paths, ...paths], (path) => clientAt(path))
          const gone = yield* Effect.fork(Effect.forEach(clients, isOver, { concurrency: "unbounded", discard: true }))
          yield* struck.kill
          yield* asksSteady
          yield* Fiber.join(gone)
          assert.strictEqual(yield* statusOfStruck, 502)
          yield* struck.restart
          assert.strictEqual(yield* statusOfStruck, 200)
        }),
      )
    }),
  )
})
