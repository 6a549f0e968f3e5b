import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { startAdminLab } from "./AdminLab.js"
import { EventReader } from "./EventReader.js"

const url = "http://user:hunter2@127.0.0.1:9"

const eventsOf = ({ events }: EventReader) =>
  events.map(({ data, event }) => {
    const id: unknown = typeof data === "object" && data !== null ? Reflect.get(data, "id") : undefined
    return id === undefined ? event : `${event} ${String(id)}`
  })

describe("the feed of sessions", () => {
  it.scopedLive("tells what changes, of ids with a prefix, and goes on behind what its reader has had", () =>
    Effect.gen(function* () {
      const { adminSocket, proxy } = yield* startAdminLab()
      yield* proxy.repo.put({ id: "a-1", url, status: "active" })
      const reader = yield* EventReader.open(adminSocket, "/v1/feed?prefix=a-")
      yield* reader.until("hello", (one) => eventsOf(one).length > 0)
      yield* proxy.repo.put({ id: "a-2", url, status: "active" })
      yield* proxy.repo.put({ id: "b", url, status: "active" })
      yield* reader.until("a new one", (one) => eventsOf(one).length > 1)
      yield* proxy.repo.remove("a-1")
      yield* proxy.repo.drain("a-2", 60_000)
      yield* reader.until("changes", (one) => eventsOf(one).length > 3)
      assert.deepStrictEqual(eventsOf(reader), ["hello", "put a-2", "remove a-1", "put a-2"])
      assert.notInclude(reader.client.unread, "hunter2")
      const seen = reader.events[1]?.id ?? ""
      reader.client.socket.destroy()
      yield* proxy.repo.remove("a-2")
      const again = yield* EventReader.open(adminSocket, "/v1/feed", [`Last-Event-ID: ${seen}`])
      yield* again.until("what it has missed", (one) => eventsOf(one).includes("remove a-2"))
      assert.deepStrictEqual(
        eventsOf(again).filter((event) => event !== "put b"),
        ["hello", "remove a-1", "put a-2", "remove a-2"],
      )
      const stranger = yield* EventReader.open(adminSocket, "/v1/feed", ["Last-Event-ID: 0123-7"])
      yield* stranger.until("a reset", (one) => eventsOf(one).length === 2)
      assert.deepStrictEqual(eventsOf(stranger), ["hello", "reset"])
    }),
  )
})
