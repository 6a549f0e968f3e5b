import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { connect as connectTo, type Socket } from "node:net"
import { request } from "../support/HttpText.js"
import { Survival, survives } from "./Survival.js"

const mebibyte = 1_048_576

/** Opens a connection, sends something, and resets or closes it as soon as that is out. */
const dropIn = (port: number, index: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = connectTo(port, "127.0.0.1", () => {
      const said = ["", "GET /steady/wh", request("GET /steady/whole"), request("GET /nobody/")][index % 4] ?? ""
      socket.write(said, () => (index % 3 === 0 ? socket.destroy() : socket.resetAndDestroy()))
    })
    socket.on("error", reject)
    socket.on("close", () => resolve())
  })

/** Opens so many, so many at a time. */
const dropAllIn = async (port: number, count: number): Promise<void> => {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) await dropIn(port, next++)
  }
  await Promise.all(Array.from({ length: 100 }, worker))
}

/** A client of a download without an end that reads its beginning and then nothing any more. */
const slowReader = (port: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connectTo(port, "127.0.0.1", () => socket.write(request("GET /struck/flood")))
    socket.on("error", reject)
    socket.once("data", () => {
      socket.pause()
      resolve(socket)
    })
  })

layer(Survival.layer(), { excludeTestServices: true })("a crowd", (it) => {
  it.scoped(
    "of 10,000 connections that are opened and dropped leaves nothing behind",
    () =>
      survives(
        Effect.gen(function* () {
          const { asksSteady, port, proxy } = yield* Survival
          // What the first of them make it load and compile.
          yield* Effect.promise(() => dropAllIn(port, 1_000))
          yield* asksSteady
          proxy.forgetPeak()
          const before = proxy.memory
          yield* Effect.promise(() => dropAllIn(port, 10_000))
          yield* asksSteady
          assert.isBelow(proxy.memory - before, 48 * mebibyte)
        }),
      ),
    60_000,
  )

  it.scoped(
    "of 1,000 clients that do not read takes little memory each, and no time of others",
    () =>
      survives(
        Effect.gen(function* () {
          const { asksSteady, port, proxy } = yield* Survival
          const before = proxy.memory
          yield* Effect.acquireUseRelease(
            Effect.promise(() => Promise.all(Array.from({ length: 1_000 }, () => slowReader(port)))),
            () =>
              Effect.gen(function* () {
                for (let count = 0; count < 100; count++) yield* asksSteady
                const cpu = proxy.cpuTime
                yield* Effect.sleep(500)
                // Nothing turns in a circle.
                assert.isBelow(proxy.cpuTime - cpu, 250)
                assert.isBelow(proxy.memory - before, 1_000 * 0.25 * mebibyte)
              }),
            (clients) => Effect.sync(() => clients.forEach((client) => client.destroy())),
          )
        }),
      ),
    60_000,
  )
})
