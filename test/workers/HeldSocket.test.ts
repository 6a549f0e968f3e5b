import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdirSync, writeFileSync } from "node:fs"
import { createServer, type Server } from "node:net"
import { join } from "node:path"
import { temporaryFolder } from "../sessions/temporary.js"
import { listen, listenOnInherited, type Place } from "../../src/server/Listening.js"
import { coreCount } from "../../src/workers/CoreCount.js"
import { Deaths } from "../../src/workers/Deaths.js"
import { canSpread, holdSockets } from "../../src/workers/HeldSocket.js"

const placeAt = (host: string, port = 0): Place => ({ host, port, flags: { host: "--host", port: "--port" } })

const server = Effect.acquireRelease(Effect.sync(createServer), (server: Server) => Effect.sync(() => server.close()))

describe("sockets that are held for workers", () => {
  it.scoped("have one port that the kernel chose, and listen when a worker does", () =>
    Effect.gen(function* () {
      const { descriptorFor } = yield* holdSockets(placeAt("localhost"), 2)
      const descriptors = new Set([descriptorFor(1), descriptorFor(2)])
      assert.strictEqual(descriptors.size, canSpread() ? 2 : 1)
      const addresses = yield* Effect.forEach(descriptors, (descriptor) =>
        Effect.flatMap(server, (server) => listenOnInherited(server, descriptor, 8)),
      )
      assert.strictEqual(new Set(addresses.map(({ port }) => port)).size, 1)
      assert.isTrue(addresses.every(({ port }) => port > 0))
    }),
  )

  it.scoped("are one for all where the kernel spreads nothing", () =>
    Effect.gen(function* () {
      const { descriptorFor } = yield* holdSockets(placeAt("127.0.0.1"), 4, false)
      assert.strictEqual(descriptorFor(1), descriptorFor(4))
      const { address } = yield* Effect.flatMap(server, (server) => listenOnInherited(server, descriptorFor(4), 8))
      assert.strictEqual(address, "127.0.0.1")
    }),
  )

  it.scoped("are not made on a port that is in use, not even by one that shares it", () =>
    Effect.gen(function* () {
      const { port } = yield* Effect.flatMap(server, (server) => listen(server, placeAt("127.0.0.1"), 8))
      const error = yield* Effect.flip(holdSockets(placeAt("127.0.0.1", port), 2))
      assert.strictEqual(error.reason, "the port is in use")
      const held = yield* holdSockets(placeAt("127.0.0.1"), 2)
      const { port: shared } = yield* Effect.flatMap(server, (server) =>
        listenOnInherited(server, held.descriptorFor(1), 8),
      )
      const other = yield* Effect.flip(holdSockets(placeAt("127.0.0.1", shared), 2))
      assert.strictEqual(other.reason, "the port is in use")
    }),
  )

  it.scoped("are free again behind the scope", () =>
    Effect.gen(function* () {
      const bound = holdSockets(placeAt("127.0.0.1"), 1).pipe(
        Effect.flatMap(({ descriptorFor }) =>
          Effect.flatMap(server, (server) => listenOnInherited(server, descriptorFor(1), 8)),
        ),
      )
      const { port } = yield* Effect.scoped(bound)
      yield* Effect.flatMap(server, (server) => listen(server, placeAt("127.0.0.1", port), 8))
    }),
  )

  it("are one each on Linux from Node 22.12 on", () => {
    assert.deepEqual(
      ["20.20.2", "22.11.0", "22.12.0", "23.0.0", "24.1.0"].map((version) => canSpread("linux", version)),
      [false, false, true, true, true],
    )
    assert.isFalse(canSpread("darwin", "24.1.0"))
  })
})

describe("as many workers as there are cores", () => {
  it.scoped("are no more than the quotas of the control group and of those above it allow", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const [membership, group] = [join(root, "cgroup"), join(root, "system", "proxy")]
      mkdirSync(group, { recursive: true })
      writeFileSync(membership, "0::/system/proxy\n")
      const count = () => coreCount(8, root, membership)
      assert.strictEqual(count(), 8)
      writeFileSync(join(group, "cpu.max"), "max 100000\n")
      assert.strictEqual(count(), 8)
      writeFileSync(join(root, "system", "cpu.max"), "250000 100000\n")
      assert.strictEqual(count(), 3)
      writeFileSync(join(group, "cpu.max"), "50000 100000\n")
      assert.strictEqual(count(), 1)
      assert.isAtLeast(coreCount(), 1)
    }),
  )
})

describe("deaths of workers", () => {
  it("are followed by ever longer rests, and the fifth within half a minute by none", () => {
    const deaths = new Deaths()
    assert.deepEqual(
      [0, 1, 2, 3, 4].map((time) => deaths.add(time)),
      [0, 200, 500, 1_000, undefined],
    )
    const rare = new Deaths()
    assert.deepEqual(
      [0, 10_000, 20_000, 30_000, 40_000, 50_000].map((time) => rare.add(time)),
      [0, 200, 500, 500, 500, 500],
    )
  })
})
