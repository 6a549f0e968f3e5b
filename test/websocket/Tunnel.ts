import { Effect, type Scope } from "effect"
import { createHash } from "node:crypto"
import type { ProxySettings, SettingsError } from "../../src/domain/ProxyConfig.js"
import type { StoreUnavailable } from "../../src/domain/ProxyError.js"
import type { AdminError } from "../../src/admin/AdminServer.js"
import type { NotSeen } from "../support/Changes.js"
import type { HttpMessage } from "../support/HttpMessage.js"
import { request, response } from "../support/HttpText.js"
import { type Lab, startLab } from "../support/Lab.js"
import type { RawClient } from "../support/RawClient.js"
import type { RawConnection } from "../support/RawConnection.js"
import type { OriginConnection, Script } from "../support/RawOrigin.js"
import { frame, readFrames, type SeenFrame } from "./Frames.js"

export const key = "dGhlIHNhbXBsZSBub25jZQ=="

/** Fields of a handshake that a proxy has nothing to object to. */
export const handshakeFields: ReadonlyArray<string> = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  `Sec-WebSocket-Key: ${key}`,
]

/** A client's handshake. */
export const handshake = (target = "/app/socket", more: ReadonlyArray<string> = []): string =>
  request(`GET ${target}`, [...handshakeFields, ...more])

const acceptOf = (message: HttpMessage): string =>
  createHash("sha1")
    .update(`${message.value("sec-websocket-key")}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`, "latin1")
    .digest("base64")

/** The 101 that agrees to a handshake. */
export const switching = (message: HttpMessage, more: ReadonlyArray<string> = []): string =>
  response("101 Switching Protocols", [
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${acceptOf(message)}`,
    ...more,
  ])

/** What browsers offer. */
export const deflateOffer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"

/** Agrees to a handshake, with what is glued to the 101. */
export const agreeing =
  (more: ReadonlyArray<string> = [], glued: Buffer = Buffer.alloc(0)): Script =>
  (connection) =>
    Effect.gen(function* () {
      const message = yield* connection.head
      yield* connection.send(Buffer.concat([Buffer.from(switching(message, more), "latin1"), glued]))
    })

/** Answers the pings that come to a client, each in a chunk of its own, so that only the server can be found dead. */
export const answerPings = ({ socket }: RawClient): void => {
  socket.on("data", (data: Buffer) => {
    if (data[0] === 0x89) socket.write(frame(10, data.subarray(2, 10), { masked: true }))
  })
}

/** One end of a tunnel, from behind its handshake. */
export class TunnelEnd {
  constructor(
    readonly raw: RawConnection,
    private readonly start: number,
  ) {}

  /** Of a connection whose handshake is over. */
  static of(raw: RawConnection): TunnelEnd {
    return new TunnelEnd(raw, raw.text.indexOf("\r\n\r\n") + 4)
  }

  /** Bytes since the handshake. */
  get bytes(): Buffer {
    return this.raw.received.subarray(this.start)
  }

  /** Whole frames since the handshake. */
  get frames(): ReadonlyArray<SeenFrame> {
    return readFrames(this.bytes).frames
  }

  /** Frames as `opcode text`, and `…` where half of one follows. */
  get story(): ReadonlyArray<string> {
    const { frames, rest } = readFrames(this.bytes)
    return [...frames.map(({ opcode, text }) => `${opcode} ${text}`), ...(rest > 0 ? ["…"] : [])]
  }

  /** Waits for so many bytes since the handshake. */
  seen(count: number): Effect.Effect<void, NotSeen> {
    return this.raw.seenBytes(this.start + count)
  }
}

/** A proxy with a WebSocket open through it. */
export interface Tunnel extends Lab {
  readonly client: TunnelEnd
  readonly server: TunnelEnd
}

/** Opens a WebSocket from a new client of this proxy. */
export const openThrough = (
  lab: Lab,
  target = "/app/socket",
  more: ReadonlyArray<string> = [],
): Effect.Effect<{ readonly client: TunnelEnd; readonly server: TunnelEnd }, NotSeen, Scope.Scope> =>
  Effect.gen(function* () {
    const index = lab.origin.connections.length
    const client: RawClient = yield* lab.proxy.connect
    yield* client.send(handshake(target, more))
    const head = yield* client.head
    if (head.status !== 101) return yield* Effect.dieMessage(`the handshake was refused: ${client.description}`)
    const server: OriginConnection = yield* lab.origin.connection(index)
    return {
      client: TunnelEnd.of(client),
      server: TunnelEnd.of(server),
    }
  })

/** Starts everything, and opens a WebSocket; `more`: further fields of its handshake. */
export const openTunnel = (
  settings: Partial<ProxySettings> = {},
  script: Script = agreeing(),
  more: ReadonlyArray<string> = [],
): Effect.Effect<Tunnel, NotSeen | AdminError | SettingsError | StoreUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    const lab = yield* startLab({ script, settings })
    return { ...lab, ...(yield* openThrough(lab, "/app/socket", more)) }
  })
