import type { Socket } from "node:net"
import { Context, Effect, Fiber, Layer, Option } from "effect"
import type { LiveSession, SessionEnd } from "../sessions/LiveSession.js"
import { type LiveTraffic, Traffic } from "../traffic/Traffic.js"
import { type Farewell, Pump, type PumpEnd } from "./Pump.js"

/** Two sockets on which a WebSocket has been agreed, with nothing of it read yet but what is given here. */
export interface BridgeEnds {
  readonly session: LiveSession
  readonly requestId: string
  readonly client: Socket
  readonly clientEarly: Uint8Array
  readonly server: Socket
  readonly serverEarly: Uint8Array
  /** Whether an extension was negotiated. */
  readonly extensions: boolean
}

/** How long both sides have to hang up after a close frame of ours before they are cut, in milliseconds. */
const farewellTime = 800

/** The same after a close frame of one of theirs. */
const closingTime = 10_000

const farewells: { readonly [End in SessionEnd]: Farewell } = {
  removed: { code: 1001, reason: "the session was removed" },
  retargeted: { code: 1012, reason: "the session moved to another server" },
  shutdown: { code: 1001, reason: "the proxy is shutting down" },
}

/** What ended a bridged WebSocket. */
type BridgeEnd =
  | { readonly _tag: "PumpEnded"; readonly side: "client" | "server"; readonly end: PumpEnd }
  | { readonly _tag: "ToldToGo"; readonly farewell: Farewell }

/** A bridged WebSocket among the live traffic. */
class BridgedSocket implements LiveTraffic {
  readonly kind = "websocket"
  readonly since = Date.now()
  place = -1
  readonly session: LiveSession
  readonly requestId: string
  /** From the client to the server, and back. */
  readonly up: Pump
  readonly down: Pump
  private told: Farewell | undefined
  private toldToGo: ((farewell: Farewell) => void) | undefined

  constructor(private readonly ends: BridgeEnds) {
    this.session = ends.session
    this.requestId = ends.requestId
    this.up = new Pump(ends.client, ends.server, true, ends.extensions)
    this.down = new Pump(ends.server, ends.client, false, ends.extensions)
  }

  get bytesIn(): number {
    return this.up.bytes
  }

  get bytesOut(): number {
    return this.down.bytes
  }

  readonly sessionEnded = (end: SessionEnd): void => this.tell(farewells[end])

  readonly goAway = (): void => this.tell(farewells.shutdown)

  readonly cut = (): void => {
    this.ends.client.destroy()
    this.ends.server.destroy()
  }

  /** Calls back once the proxy wants this WebSocket to end. */
  onFarewell(listener: (farewell: Farewell) => void): void {
    if (this.told === undefined) this.toldToGo = listener
    else listener(this.told)
  }

  private tell(farewell: Farewell): void {
    this.told = farewell
    this.toldToGo?.(farewell)
  }
}

/** Says goodbye in one direction and hangs up; where a frame is half sent and its rest cannot come, resets. */
const dismiss = (pump: Pump, receiver: Socket, farewell: Farewell): void => {
  if (pump.say(farewell)) pump.hangUp()
  else receiver.resetAndDestroy()
}

/** The direction in which `side` sends, the one in which it receives, and the sockets of it and of its peer. */
const seenFrom = (side: "client" | "server", socket: BridgedSocket, ends: BridgeEnds) =>
  side === "client"
    ? { sending: socket.up, receiving: socket.down, own: ends.client, peer: ends.server }
    : { sending: socket.down, receiving: socket.up, own: ends.server, peer: ends.client }

/** Brings both sides to an end that fits what happened. Returns how long they may take, in milliseconds. */
const part = (what: BridgeEnd, socket: BridgedSocket, ends: BridgeEnds): number => {
  if (what._tag === "ToldToGo") {
    for (const pump of [socket.up, socket.down]) if (pump.say(what.farewell)) pump.hangUp()
    return farewellTime
  }
  const { sending, receiving, own, peer } = seenFrom(what.side, socket, ends)
  switch (what.end._tag) {
    case "Closed":
      sending.hangUp()
      return closingTime
    case "Lost":
      dismiss(sending, peer, { code: 1011, reason: `the ${what.side} was lost` })
      own.destroy()
      return farewellTime
    case "Violated": {
      const { code, problem } = what.end.fault
      dismiss(sending, peer, { code, reason: problem })
      dismiss(receiving, own, { code, reason: problem })
      return farewellTime
    }
  }
}

const describe = (what: BridgeEnd): Record<string, unknown> => {
  if (what._tag === "ToldToGo") return { closed_by: "proxy", code: what.farewell.code, reason: what.farewell.reason }
  if (what.end._tag === "Violated")
    return { closed_by: "proxy", code: what.end.fault.code, reason: what.end.fault.problem }
  return { closed_by: what.side, ...(what.end._tag === "Lost" ? { code: 1011, lost: true } : {}) }
}

const report = (what: BridgeEnd, socket: BridgedSocket): Effect.Effect<void> => {
  const close = socket.up.cursor.close ?? socket.down.cursor.close
  return Effect.logDebug("websocket closed").pipe(
    Effect.annotateLogs({
      session: socket.session.id,
      request_id: socket.requestId,
      seconds: (Date.now() - socket.since) / 1_000,
      ...(close === undefined ? {} : { code: close.code, reason: close.reason }),
      ...describe(what),
      messages_in: socket.up.messages,
      messages_out: socket.down.messages,
      bytes_in: socket.bytesIn,
      bytes_out: socket.bytesOut,
    }),
  )
}

const firstEnd = (
  socket: BridgedSocket,
  up: Fiber.RuntimeFiber<PumpEnd>,
  down: Fiber.RuntimeFiber<PumpEnd>,
): Effect.Effect<BridgeEnd> =>
  Effect.async((resume) => {
    const ended = (side: "client" | "server", fiber: Fiber.RuntimeFiber<PumpEnd>): void =>
      fiber.addObserver((exit) => {
        const lost: PumpEnd = { _tag: "Lost", cause: undefined }
        resume(Effect.succeed({ _tag: "PumpEnded", side, end: exit._tag === "Success" ? exit.value : lost }))
      })
    ended("client", up)
    ended("server", down)
    socket.onFarewell((farewell) => resume(Effect.succeed({ _tag: "ToldToGo", farewell })))
  })

/** Bridges WebSockets: two supervised pumps a connection, neither of which outlives the other. */
export class WsBridge extends Context.Tag("@ss-proxy/WsBridge")<
  WsBridge,
  {
    /** Moves frames between both ends until one of them, or the proxy, ends it. Both sockets are closed on return. */
    readonly bridge: (ends: BridgeEnds) => Effect.Effect<void>
  }
>() {
  static readonly layer: Layer.Layer<WsBridge, never, Traffic> = Layer.effect(
    WsBridge,
    Effect.gen(function* () {
      const traffic = yield* Traffic

      const register = (ends: BridgeEnds) =>
        Effect.acquireRelease(
          Effect.sync(() => {
            const socket = new BridgedSocket(ends)
            traffic.open(socket)
            return socket
          }),
          (socket) =>
            Effect.sync(() => {
              socket.cut()
              traffic.close(socket)
            }),
        )

      const bridge = (ends: BridgeEnds) =>
        Effect.gen(function* () {
          const socket = yield* register(ends)
          const up = yield* Effect.forkScoped(socket.up.run(ends.clientEarly))
          const down = yield* Effect.forkScoped(socket.down.run(ends.serverEarly))
          const what = yield* firstEnd(socket, up, down)
          const milliseconds = part(what, socket, ends)
          const bothEnded = Effect.zipRight(Fiber.await(up), Fiber.await(down))
          const inTime = yield* Effect.timeoutOption(bothEnded, milliseconds)
          if (Option.isNone(inTime)) socket.cut()
          yield* report(what, socket)
        }).pipe(Effect.scoped)

      return { bridge }
    }),
  )
}
