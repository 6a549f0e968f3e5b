import { createHash } from "node:crypto"
import { once } from "node:events"
import { connect, createServer } from "node:net"
import type { AddressInfo, Socket } from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import { WebSocket, WebSocketServer } from "ws"
import { closeFrame, pingFrame } from "../../src/websocket/ControlFrame.js"
import { FrameCursor } from "../../src/websocket/FrameCursor.js"

const cleanups: Array<() => void> = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

const portOf = (server: { address(): string | AddressInfo | null }) => (server.address() as AddressInfo).port

/** A `ws` server, and a raw socket that has shaken hands with it. */
const rawClient = async (): Promise<{ raw: Socket; peer: WebSocket }> => {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" })
  cleanups.push(() => server.close())
  await once(server, "listening")
  const raw = connect(portOf(server), "127.0.0.1")
  cleanups.push(() => raw.destroy())
  raw.write(
    "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  )
  const [[peer]] = await Promise.all([once(server, "connection"), once(raw, "data")])
  return { raw, peer: peer as WebSocket }
}

/** A `ws` client of a server that shakes hands and then sends the bytes given. */
const clientSent = async (bytes: Buffer): Promise<WebSocket> => {
  const server = createServer((socket) => {
    cleanups.push(() => socket.destroy())
    socket.once("data", (head: Buffer) => {
      const key = /^sec-websocket-key: *(\S+)/im.exec(head.toString("latin1"))?.[1] ?? ""
      const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64")
      const lines = ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket"]
      socket.write(`${lines.join("\r\n")}\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
      socket.write(bytes)
    })
  }).listen(0, "127.0.0.1")
  cleanups.push(() => server.close())
  await once(server, "listening")
  return new WebSocket(`ws://127.0.0.1:${portOf(server)}/`)
}

describe("a masked control frame", () => {
  it("closes a `ws` server with its code and reason", async () => {
    const { raw, peer } = await rawClient()
    raw.write(closeFrame(1012, "the session has a new server", true))
    const [code, reason] = await once(peer, "close")
    expect([code, String(reason)]).toEqual([1012, "the session has a new server"])
  })

  it("pings a `ws` server, which answers with the same payload", async () => {
    const { raw, peer } = await rawClient()
    raw.write(pingFrame(Buffer.from([0, 1, 2, 250, 251, 252, 253]), true))
    const [[pinged], [pong]] = await Promise.all([once(peer, "ping"), once(raw, "data")])
    expect([...(pinged as Buffer)]).toEqual([0, 1, 2, 250, 251, 252, 253])
    expect([...(pong as Buffer)]).toEqual([0x8a, 7, 0, 1, 2, 250, 251, 252, 253])
  })

  it("has another key every time", () => {
    const keys = Array.from({ length: 20 }, () => pingFrame(Buffer.alloc(0), true).readUInt32BE(2))
    expect(new Set(keys).size).toBeGreaterThan(18)
  })
})

describe("a plain control frame", () => {
  it("closes a `ws` client with its code and reason", async () => {
    const [code, reason] = await once(await clientSent(closeFrame(1001, "going away", false)), "close")
    expect([code, String(reason)]).toEqual([1001, "going away"])
  })

  it("pings a `ws` client", async () => {
    const [payload] = await once(await clientSent(pingFrame(Buffer.from("still there?"), false)), "ping")
    expect(String(payload)).toBe("still there?")
  })
})

describe("payloads", () => {
  it("cuts a long reason between two characters", () => {
    const cursor = new FrameCursor({ masked: false })
    const frame = closeFrame(1008, `a${"ü".repeat(100)}`, false)
    expect(cursor.advance(frame)).toBeUndefined()
    expect(cursor.close).toEqual({ code: 1008, reason: `a${"ü".repeat(61)}` })
  })

  it("fills a frame to 125 bytes, and refuses more", () => {
    expect(pingFrame(Buffer.alloc(125), false)).toHaveLength(127)
    expect(() => pingFrame(Buffer.alloc(126), false)).toThrow(RangeError)
  })
})
