import { assert, describe, it, vi } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { WebSocket } from "undici"
import { WebsocketProvider } from "y-websocket"
import * as Y from "yjs"
import { Changes, type NotSeen } from "../support/Changes.js"
import { startProxy } from "../support/TestProxy.js"
import { YjsOrigin } from "../support/YjsOrigin.js"

// y-websocket takes that of the browser, which Node 20 does not have.
vi.stubGlobal("WebSocket", WebSocket)

/** Announced by every writer, for what one waits for may happen to another. */
const changes = new Changes()

/** A document in a client of y-websocket. */
class Writer {
  readonly document = new Y.Doc()
  readonly text = this.document.getText("text")
  readonly closes: Array<number> = []
  readonly provider: WebsocketProvider

  private constructor(url: string, room: string, params: Record<string, string>) {
    this.provider = new WebsocketProvider(url.replace(/^http/, "ws"), room, this.document, {
      // Two documents of one process would find each other without a server.
      disableBc: true,
      maxBackoffTime: 20,
      params,
    })
    const announce = () => changes.announce()
    this.document.on("update", announce)
    this.provider.on("sync", announce)
    this.provider.awareness.on("change", announce)
    this.provider.on("connection-close", (event) => {
      if (event !== null) this.closes.push(event.code)
      announce()
    })
  }

  write(words: string, at = this.text.length): void {
    this.text.insert(at, words)
  }

  /** Says who this is, to everybody in the room. */
  introduce(name: string): void {
    this.provider.awareness.setLocalState({ name })
  }

  /** Who is in the room. */
  get names(): ReadonlyArray<unknown> {
    return [...this.provider.awareness.getStates().values()].map(({ name }) => name).toSorted()
  }

  get synced(): Effect.Effect<void, NotSeen> {
    return this.until("to be synchronized", () => this.provider.synced)
  }

  until(what: string, condition: () => boolean): Effect.Effect<void, NotSeen> {
    return changes.until(what, condition, () => `${this.text.length} characters, closed with ${this.closes.join()}`)
  }

  /** Waits until this has the same text as another. */
  agreesWith(other: Writer): Effect.Effect<void, NotSeen> {
    return this.until("the same text", () => this.text.toJSON() === other.text.toJSON())
  }

  static make(
    url: string,
    room: string,
    params: Record<string, string> = {},
  ): Effect.Effect<Writer, NotSeen, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.sync(() => new Writer(url, room, params)),
      ({ provider, document }) =>
        Effect.sync(() => {
          provider.destroy()
          provider.awareness.destroy()
          document.destroy()
        }),
    ).pipe(Effect.tap((writer) => writer.synced))
  }
}

const converged = (one: Writer, other: Writer) =>
  Effect.gen(function* () {
    yield* Effect.all([one.agreesWith(other), other.agreesWith(one)])
    assert.deepStrictEqual(Y.encodeStateVector(one.document), Y.encodeStateVector(other.document))
  })

const lab = Effect.gen(function* () {
  const origin = yield* YjsOrigin.start
  const proxy = yield* startProxy({ sessions: { app: origin.url } })
  return { origin, proxy, url: `${proxy.url}/ws/app` }
})

/** Two writers in one room. */
const pair = Effect.gen(function* () {
  const { origin, proxy, url } = yield* lab
  return { origin, proxy, one: yield* Writer.make(url, "notes"), other: yield* Writer.make(url, "notes") }
})

describe("Yjs over y-websocket", () => {
  it.scopedLive("brings two documents to the same text, whoever writes what, and at the same time", () =>
    Effect.gen(function* () {
      const { one, other } = yield* pair
      one.write("from one. ")
      yield* other.agreesWith(one)
      assert.strictEqual(other.text.toJSON(), "from one. ")
      for (let count = 0; count < 300; count++) {
        one.write(`one ${count} `)
        other.write(`other ${count} `, 0)
      }
      yield* one.until("everything of the other", () => one.text.toJSON().includes("other 299"))
      one.write("ü🚀".repeat(100_000))
      other.text.delete(0, 20)
      yield* converged(one, other)
      assert.isAbove(one.text.length, 300_000)
    }),
  )

  it.scopedLive("takes the room, and what stands behind it, from the path", () =>
    Effect.gen(function* () {
      const { origin, url } = yield* lab
      const first = yield* Writer.make(url, "first/room%2Fone", { token: "a b" })
      const second = yield* Writer.make(url, "second")
      assert.deepStrictEqual([...origin.rooms.keys()], ["/app/first/room%2Fone?token=a%20b", "/app/second"])
      first.write("only here")
      second.write("only there")
      const late = yield* Writer.make(url, "first/room%2Fone", { token: "a b" })
      yield* converged(first, late)
      assert.deepStrictEqual([late.text.toJSON(), second.text.toJSON()], ["only here", "only there"])
    }),
  )

  it.scopedLive("shows who is there, and who has left", () =>
    Effect.gen(function* () {
      const { one, other } = yield* pair
      one.introduce("Ada")
      other.introduce("Bob")
      yield* one.until("both names", () => one.names.length === 2)
      yield* other.until("both names", () => other.names.includes("Ada"))
      assert.deepStrictEqual(
        [one.names, other.names],
        [
          ["Ada", "Bob"],
          ["Ada", "Bob"],
        ],
      )
      other.provider.disconnect()
      yield* one.until("the other to leave", () => one.names.length === 1)
      assert.deepStrictEqual(one.names, ["Ada"])
    }),
  )

  it.scopedLive("catches up after a client was cut off", () =>
    Effect.gen(function* () {
      const { origin, one, other } = yield* pair
      one.write("before. ")
      yield* other.agreesWith(one)
      const [socket] = origin.rooms.get("/app/notes")?.sockets ?? []
      socket?.terminate()
      yield* one.until("the end", () => one.closes.length === 1)
      // Neither sees what the other writes now.
      one.write("meanwhile here. ")
      other.write("meanwhile there. ")
      yield* one.synced
      yield* converged(one, other)
      assert.deepStrictEqual([one.closes, other.closes], [[1011], []])
      for (const words of ["before. ", "meanwhile here. ", "meanwhile there. "])
        assert.include(one.text.toJSON(), words)
    }),
  )

  it.scopedLive("goes over to the session's new server, and takes its documents there", () =>
    Effect.gen(function* () {
      const { proxy, one, other } = yield* pair
      one.write("to be kept. ")
      yield* other.agreesWith(one)
      const next = yield* YjsOrigin.start
      yield* proxy.repo.set("app", { url: next.url })
      for (const writer of [one, other]) {
        yield* writer.until("the end", () => writer.closes.length > 0)
        yield* writer.synced
      }
      one.write("written there.")
      yield* converged(one, other)
      assert.deepStrictEqual([one.closes, other.closes], [[1012], [1012]])
      assert.strictEqual(next.rooms.get("/app/notes")?.document.getText("text").toJSON(), one.text.toJSON())
    }),
  )

  it.scopedLive("waits for a session that was removed, and catches up when it is back", () =>
    Effect.gen(function* () {
      const { origin, proxy, one, other } = yield* pair
      yield* proxy.repo.remove("app")
      yield* one.until("refused handshakes", () => one.closes.length >= 3)
      assert.deepStrictEqual(one.closes.slice(0, 3), [1001, 1006, 1006])
      one.write("meanwhile. ")
      yield* proxy.repo.add({ id: "app", url: origin.url, status: "active" })
      yield* Effect.all([one.synced, other.synced])
      yield* converged(one, other)
      assert.strictEqual(other.text.toJSON(), "meanwhile. ")
    }),
  )
})
