import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describeUnless } from "../support/LeftOut.js"
import { lackingPackage, Reader } from "./Recipe.js"

/** Serves devices as the server of EchoKit does, and compresses where a client offers it; greets with the device's id. */
const server = `
import asyncio, sys, websockets

async def serve(device):
    await device.send("hello " * 20 + device.request.path)
    async for message in device:
        await device.send(message)

async def main():
    async with websockets.serve(serve, "127.0.0.1", int(sys.argv[1])):
        await asyncio.Future()

asyncio.run(main())
`

/** A device: it offers compression, and cannot read what is compressed. Says the first byte of the first frame, and its text. */
const device = `
import base64, os, socket, sys

host, port, path = "localhost", int(sys.argv[1]), sys.argv[2]
device = socket.create_connection((host, port))
fields = [
    f"GET {path} HTTP/1.1", f"Host: {host}:{port}", "Upgrade: websocket", "Connection: Upgrade",
    "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + base64.b64encode(os.urandom(16)).decode(),
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits", "", "",
]
device.sendall("\\r\\n".join(fields).encode())
stream = device.makefile("rb")
print(stream.readline().decode().strip())
while stream.readline() != b"\\r\\n":
    pass
first, second = stream.read(2)
length = second if second < 126 else int.from_bytes(stream.read(2), "big")
text = stream.read(length)
print("compressed" if first & 0x40 else text.decode())
`

describeUnless(lackingPackage("websockets"))("the recipe for EchoKit", () => {
  it.scopedLive(
    "leads a device to its WebSocket, and lets it read what it gets",
    () =>
      Effect.gen(function* () {
        const reader = yield* Reader.follow(["EchoKit"])
        writeFileSync(join(reader.folder, "server.py"), server)
        writeFileSync(join(reader.folder, "device.py"), device)
        yield* reader.leaveRunning("python server.py 9090", ["9090"])
        const path = "/ws/a1b2c3d4e5f6?reconnect=true&opus=true"
        assert.strictEqual(
          yield* reader.type(`python device.py 8080 '${path}'`),
          `HTTP/1.1 101 Switching Protocols\n${"hello ".repeat(20)}${path}\n`,
        )
        yield* reader.type("ss-proxy sessions set a1b2c3d4e5f6 --ws-extensions relay")
        assert.strictEqual(
          yield* reader.type(`python device.py 8080 '${path}'`),
          "HTTP/1.1 101 Switching Protocols\ncompressed\n",
        )
      }),
    60_000,
  )
})
