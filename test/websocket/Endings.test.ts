import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Socket } from "node:net"
import { setImmediate as nextTurn, setTimeout as pause } from "node:timers/promises"
import { startLab } from "../support/Lab.js"
import { openSockets } from "../support/OpenSockets.js"
import { fibersBackTo, liveFibers } from "./Fibers.js"
import { clientClose, clientText, serverClose, serverText } from "./Frames.js"
import { agreeing, openThrough } from "./Tunnel.js"

/** What one end does to end a WebSocket; `closing` and `text` are frames of its own. */
type Ending = (socket: Socket, closing: Buffer, text: Buffer) => void

const endings: Readonly<Record<string, Ending>> = {
  "close frame and FIN": (socket, closing) => void socket.end(closing),
  FIN: (socket) => void socket.end(),
  RST: (socket) => void socket.resetAndDestroy(),
  "close frame and RST": (socket, closing) => {
    socket.write(closing)
    socket.resetAndDestroy()
  },
  "close frame and nothing read": (socket, closing) => {
    socket.pause()
    socket.write(closing)
    socket.destroy()
  },
  destroy: (socket) => void socket.destroy(),
  "half a frame and FIN": (socket, _, text) => void socket.end(text.subarray(0, 5)),
  "close frame": (socket, closing) => void socket.write(closing),
}

/** How long one end is behind the other. */
const delays: Readonly<Record<string, () => Promise<unknown>>> = {
  "at once": () => Promise.resolve(),
  "a turn later": () => nextTurn(),
  "a millisecond later": () => pause(1),
}

const names = Object.keys(endings)

/** Every pair of endings, with either end first. */
const pairs = names.flatMap((client) => names.map((server) => ({ client, server })))

const perform = (name: string, { socket }: { readonly socket: Socket }, closing: Buffer, text: Buffer): void => {
  if (!socket.destroyed) endings[name]?.(socket, closing, text)
}

describe("a WebSocket that both ends end at about the same moment", () => {
  it.scopedLive.each(Object.keys(delays))(
    "leaves no socket, no fiber and no place behind, whatever each does, the second %s",
    (delay) =>
      Effect.gen(function* () {
        const lab = yield* startLab({ script: agreeing(), settings: { maxWebSockets: pairs.length } })
        const [fibers, sockets] = [yield* liveFibers, openSockets()]
        const later = delays[delay] ?? nextTurn
        for (const clientFirst of [true, false, true]) {
          const all = Effect.gen(function* () {
            // More could not be opened if the places of those before had not come back.
            const opened = yield* Effect.replicateEffect(openThrough(lab), pairs.length)
            const end = (side: "client" | "server") =>
              opened.forEach((ends, index) => {
                const closing = side === "client" ? clientClose(1000) : serverClose(1000)
                const text = side === "client" ? clientText("half a frame") : serverText("half a frame")
                perform(pairs[index]?.[side] ?? "", ends[side].raw, closing, text)
              })
            end(clientFirst ? "client" : "server")
            yield* Effect.promise(later)
            end(clientFirst ? "server" : "client")
            yield* Effect.sleep(20)
            for (const ends of opened) for (const { raw } of [ends.client, ends.server]) raw.socket.destroy()
          })
          yield* Effect.scoped(all)
          yield* lab.origin.deserted
          yield* lab.proxy.quiet
        }
        yield* fibersBackTo(fibers)
        assert.isAtMost(openSockets(), sockets)
      }),
    30_000,
  )
})
