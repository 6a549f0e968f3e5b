import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Schema, Scope } from "effect"
import { SampleView, SessionEventView } from "../../src/admin/api/StatsGroup.js"
import { eventually } from "../support/Changes.js"
import { request } from "../support/HttpText.js"
import { RawClient } from "../support/RawClient.js"
import { startAdminLab } from "./AdminLab.js"
import { EventReader } from "./EventReader.js"

const sampleOf = Schema.decodeUnknownSync(SampleView)
const changedOf = Schema.decodeUnknownSync(Schema.Struct({ sessions: Schema.Array(SessionEventView) }))

/** What was told of a session, in order. */
const toldOf = (reader: EventReader, id: string) =>
  reader.named("sessions").flatMap(({ data }) => changedOf(data).sessions.filter((one) => one.id === id))

describe("the stream of events", () => {
  it.scopedLive("tells of each second, and of the sessions that were named and have changed in it", () =>
    Effect.gen(function* () {
      const { adminSocket, ask, proxy } = yield* startAdminLab()
      yield* proxy.repo.put({ id: "a,b/%", url: "http://127.0.0.1:9", status: "paused" })
      const reader = yield* EventReader.open(adminSocket, `/v1/events?sessions=app,a%2Cb%2F%25,nobody`)
      yield* reader.until("what there is", (one) => one.named("sessions").length > 0)
      assert.match(reader.client.unread, /^HTTP\/1.1 200[^]*\r\n[0-9a-f]+\r\nretry: 2000\n\n/)
      assert.include(reader.client.unread.toLowerCase(), "content-type: text/event-stream\r\n")
      assert.include(reader.client.unread.toLowerCase(), "x-accel-buffering: no\r\n")
      assert.include(reader.client.unread.toLowerCase(), "cache-control: no-store\r\n")
      const [first] = reader.named("sessions")
      assert.sameMembers(
        changedOf(first?.data).sessions.map(({ id }) => id),
        ["app", "a,b/%", "nobody"],
      )
      assert.deepStrictEqual(toldOf(reader, "nobody"), [{ id: "nobody", removed: true }])
      yield* ask(request("GET /app/"))
      yield* proxy.repo.remove("a,b/%")
      yield* reader.until("a removal", (one) => toldOf(one, "a,b/%").length === 2)
      assert.deepStrictEqual(toldOf(reader, "a,b/%")[1], { id: "a,b/%", removed: true })
      yield* reader.until("rates", (one) =>
        toldOf(one, "app").some((told) => "live" in told && told.live.requests_per_second !== null),
      )
      assert.strictEqual(toldOf(reader, "nobody").length, 1)
      for (const { data } of reader.named("stats")) sampleOf(data)
    }),
  )

  it.scopedLive("ends with bye when the listener does", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { adminSocket } = yield* Scope.extend(startAdminLab(), scope)
      const reader = yield* EventReader.open(adminSocket, "/v1/events")
      yield* reader.until("a second", (one) => one.named("stats").length > 0)
      yield* Scope.close(scope, Exit.void)
      yield* reader.until("its end", ({ client }) => client.isOver)
      assert.strictEqual(reader.events.at(-1)?.event, "bye")
    }),
  )

  it.scopedLive("has 32 readers at most, whom nobody else pushes out", () =>
    Effect.gen(function* () {
      const { adminSocket, askSocket } = yield* startAdminLab()
      const readers = yield* Effect.all(Array.from({ length: 32 }, () => EventReader.open(adminSocket, "/v1/events")))
      for (const reader of readers) yield* reader.until("a second", (one) => one.named("stats").length > 0)
      const refused = yield* askSocket("GET /v1/tail")
      assert.strictEqual(refused.startLine, "HTTP/1.1 503 Service Unavailable")
      assert.include(refused.text, '"code":"too_many_readers"')
      yield* Effect.all(Array.from({ length: 70 }, () => RawClient.connectToPath(adminSocket)))
      yield* askSocket("GET /livez")
      assert.isTrue(readers.every(({ client }) => !client.isOver))
      // Who leaves makes room.
      for (const { client } of readers) client.socket.destroy()
      yield* eventually(
        Effect.map(
          Effect.scoped(
            Effect.tap(EventReader.open(adminSocket, "/v1/events"), (reader) =>
              reader.until("a head", ({ client }) => client.unread.includes("\r\n\r\n")),
            ),
          ),
          ({ client }) => client.unread.startsWith("HTTP/1.1 200"),
        ),
        "room for another",
      )
    }),
  )

  it.scopedLive("says what is wrong with what it is asked for", () =>
    Effect.gen(function* () {
      const { askSocket } = yield* startAdminLab()
      const many = Array.from({ length: 101 }, (_, index) => `s${index}`).join(",")
      for (const sessions of [many, "%ff"]) {
        const { startLine, text } = yield* askSocket(`GET /v1/events?sessions=${sessions}`)
        assert.include(startLine, "400")
        assert.include(text, '"path":"sessions"')
      }
    }),
  )
})
