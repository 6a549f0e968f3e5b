import { Effect, type Scope } from "effect"
import { createDecoder, readVarUint, readVarUint8Array } from "lib0/decoding"
import { createEncoder, type Encoder, length, toUint8Array, writeVarUint, writeVarUint8Array } from "lib0/encoding"
import { applyAwarenessUpdate, Awareness, encodeAwarenessUpdate, removeAwarenessStates } from "y-protocols/awareness"
import { readSyncMessage, writeSyncStep1, writeUpdate } from "y-protocols/sync"
import * as Y from "yjs"
import { type WebSocket, WebSocketServer } from "ws"
import { HttpOrigin } from "./HttpOrigin.js"

const syncMessage = 0
const awarenessMessage = 1

/** A message of this kind. */
const message = (kind: number, write: (encoder: Encoder) => void): Uint8Array => {
  const encoder = createEncoder()
  writeVarUint(encoder, kind)
  write(encoder)
  return toUint8Array(encoder)
}

/** Who came and went, by number. */
interface AwarenessChange {
  readonly added: ReadonlyArray<number>
  readonly updated: ReadonlyArray<number>
  readonly removed: ReadonlyArray<number>
}

/** A document that everybody in the room has. */
class Room {
  readonly document = new Y.Doc()
  readonly sockets = new Set<WebSocket>()
  private readonly awareness = new Awareness(this.document)
  /** Who spoke on which socket. */
  private readonly speakers = new WeakMap<object, Set<number>>()

  constructor() {
    this.awareness.setLocalState(null)
    this.document.on("update", (update: Uint8Array) =>
      this.tellAll(message(syncMessage, (encoder) => writeUpdate(encoder, update))),
    )
    this.awareness.on("update", ({ added, updated, removed }: AwarenessChange, origin: object | null) => {
      for (const id of added) if (origin !== null) this.speakers.get(origin)?.add(id)
      this.tellAll(this.about([...added, ...updated, ...removed]))
    })
  }

  enter(socket: WebSocket): void {
    this.sockets.add(socket)
    this.speakers.set(socket, new Set())
    socket.on("message", (data: Buffer) => this.heard(socket, data))
    socket.once("close", () => {
      this.sockets.delete(socket)
      removeAwarenessStates(this.awareness, [...(this.speakers.get(socket) ?? [])], null)
    })
    socket.send(message(syncMessage, (encoder) => writeSyncStep1(encoder, this.document)))
    socket.send(this.about([...this.awareness.getStates().keys()]))
  }

  close(): void {
    for (const socket of this.sockets) socket.terminate()
    this.awareness.destroy()
    this.document.destroy()
  }

  private heard(socket: WebSocket, data: Buffer): void {
    const decoder = createDecoder(data)
    if (readVarUint(decoder) === awarenessMessage)
      return applyAwarenessUpdate(this.awareness, readVarUint8Array(decoder), socket)
    const answer = createEncoder()
    writeVarUint(answer, syncMessage)
    readSyncMessage(decoder, answer, this.document, socket)
    if (length(answer) > 1) socket.send(toUint8Array(answer))
  }

  private about(ids: Array<number>): Uint8Array {
    return message(awarenessMessage, (encoder) =>
      writeVarUint8Array(encoder, encodeAwarenessUpdate(this.awareness, ids)),
    )
  }

  private tellAll(bytes: Uint8Array): void {
    for (const socket of this.sockets) socket.send(bytes)
  }
}

/** A session's server for y-websocket, with a room for each path: the usual one on y-protocols, without its database. */
export class YjsOrigin {
  /** By the target of the handshake. */
  readonly rooms = new Map<string, Room>()

  private constructor(readonly http: HttpOrigin) {}

  /** Its base URL, `http:`, without a slash at the end. */
  get url(): string {
    return this.http.url
  }

  private room(target: string): Room {
    const room = this.rooms.get(target) ?? new Room()
    this.rooms.set(target, room)
    return room
  }

  static readonly start: Effect.Effect<YjsOrigin, never, Scope.Scope> = Effect.gen(function* () {
    const origin = new YjsOrigin(yield* HttpOrigin.start())
    const server = new WebSocketServer({ server: origin.http.server })
    server.on("connection", (socket, request) => origin.room(request.url ?? "").enter(socket))
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        for (const room of origin.rooms.values()) room.close()
      }),
    )
    return origin
  })
}
