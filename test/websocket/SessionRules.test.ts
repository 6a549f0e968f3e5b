import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { ProxySettings } from "../../src/domain/ProxyConfig.js"
import type { SessionPolicy } from "../../src/domain/SessionPolicy.js"
import { startLab } from "../support/Lab.js"
import { clientClose, clientText, frame, serverText } from "./Frames.js"
import { agreeing, openThrough, type TunnelEnd } from "./Tunnel.js"

/** A proxy with these settings, and a session `own` with this policy beside `app`, which has none. */
const startTwo = (settings: Partial<ProxySettings>, policy: Partial<SessionPolicy>) =>
  Effect.gen(function* () {
    const lab = yield* startLab({ script: agreeing(), settings })
    yield* lab.proxy.repo.add({ id: "own", url: lab.origin.url, status: "active", policy })
    const open = (id: "app" | "own") => openThrough(lab, `/${id}/socket`)
    return { ...lab, open }
  })

/** A change must be in force after this long. */
const inForce = Effect.sleep(10)

const leave = ({ raw }: TunnelEnd) => raw.reset

describe("a session whose --ws-ping is its own", () => {
  it.scopedLive("keeps a device that answers no ping, while the others of the proxy are dropped", () =>
    Effect.gen(function* () {
      const { open } = yield* startTwo({ wsPing: 300 }, { wsPing: 0 })
      const [device, other] = [yield* open("own"), yield* open("app")]
      // It streams to a device that reads on and says nothing, as firmware does.
      const audio = frame(2, Buffer.alloc(100, 7))
      const stream = (server: TunnelEnd) => Effect.forever(Effect.zipRight(Effect.sleep(40), server.raw.send(audio)))
      yield* Effect.forkScoped(stream(device.server))
      yield* Effect.forkScoped(stream(other.server))
      yield* other.client.raw.gone
      const had = device.client.frames.length
      yield* device.client.seen((had + 8) * audio.length)
      assert.isTrue(device.client.frames.every(({ opcode }) => opcode === 2))
      assert.isTrue(other.client.frames.some(({ opcode }) => opcode === 9))
      yield* leave(device.client)
    }),
  )

  it.scopedLive("has its silent devices dropped, while the proxy pings nobody else", () =>
    Effect.gen(function* () {
      const { open } = yield* startTwo({}, { wsPing: 200 })
      const [other, device] = [yield* open("app"), yield* open("own")]
      yield* Effect.all([device.client.raw.gone, device.server.raw.gone])
      assert.deepStrictEqual([other.client.bytes.length, other.server.bytes.length], [0, 0])
      assert.isTrue(other.client.raw.isOpen)
      yield* leave(other.client)
    }),
  )
})

describe("a session whose --ws-idle-timeout is its own", () => {
  it.scopedLive("closes what is idle for it, and leaves what is idle elsewhere", () =>
    Effect.gen(function* () {
      const { open } = yield* startTwo({}, { wsIdleTimeout: 150 })
      const [other, own] = [yield* open("app"), yield* open("own")]
      yield* own.client.raw.gone
      assert.deepStrictEqual(own.client.story, ["8 1001 no message for too long"])
      assert.isTrue(other.client.raw.isOpen)
      yield* leave(other.client)
    }),
  )
})

describe("a session whose --ws-max-message is its own", () => {
  it.scopedLive.each([
    ["less", { wsMaxMessage: 10 }, { wsMaxMessage: 5 }, "app"],
    ["more", { wsMaxMessage: 5 }, { wsMaxMessage: 10 }, "own"],
    ["0, which is no limit", { wsMaxMessage: 5 }, { wsMaxMessage: 0 }, "own"],
  ] as const)("has it in place of that of the proxy: %s", ([, settings, policy, roomy]) =>
    Effect.gen(function* () {
      const { open } = yield* startTwo(settings, policy)
      for (const id of ["app", "own"] as const) {
        const { client, server } = yield* open(id)
        yield* client.raw.send(clientText("1234567"))
        if (id === roomy) {
          yield* server.seen(clientText("1234567").length)
          assert.deepStrictEqual(server.story, ["1 1234567"])
        } else {
          yield* server.seen(frame(8, "xx a message is larger than the limit").length)
          assert.deepStrictEqual(server.story, ["8 1009 a message is larger than the limit"])
        }
        yield* leave(client)
      }
    }),
  )

  it.scopedLive("has a new one for WebSockets that begin from then on, and not for those that are open", () =>
    Effect.gen(function* () {
      const { open, proxy } = yield* startTwo({}, {})
      const before = yield* open("own")
      yield* proxy.repo.set("own", { policy: { wsMaxMessage: 5 } })
      yield* inForce
      const after = yield* open("own")
      const [long, back] = [clientText("too long"), serverText("and back")]
      yield* after.client.raw.send(long)
      yield* after.server.seen(4)
      assert.match(after.server.story[0] ?? "", /^8 1009 /)
      yield* before.client.raw.send(long)
      yield* before.server.seen(long.length)
      yield* before.server.raw.send(back)
      yield* before.client.seen(back.length)
      assert.deepStrictEqual([before.server.bytes, before.client.bytes], [long, back])
      yield* before.client.raw.send(clientClose(1000))
      for (const { client } of [before, after]) yield* leave(client)
    }),
  )
})
