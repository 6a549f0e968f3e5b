import { connect, createServer, type Server, type Socket } from "node:net"
import { once } from "node:events"
import { assert, describe, it } from "@effect/vitest"
import { KernelQueues } from "../../src/socket/KernelQueues.js"
import { descriptorOf } from "../../src/socket/Unread.js"

const listening = async (): Promise<Server> => {
  const server = createServer(() => {}).listen(0, "127.0.0.1")
  await once(server, "listening")
  return server
}

const connected = async (server: Server): Promise<Socket> => {
  const address = server.address()
  if (address === null || typeof address === "string") return assert.fail("it does not listen")
  const socket = connect(address.port, "127.0.0.1")
  await once(socket, "connect")
  return socket
}

describe("the kernel's queues", () => {
  it("are told to whoever asks while they are being read, too", async () => {
    const server = await listening()
    const [first, second] = [await connected(server), await connected(server)]
    assert.isDefined(descriptorOf(first))
    const queues = new KernelQueues(1)
    const told: Array<string> = []
    await new Promise<void>((resolve) => {
      const tell = (name: string) => (): void => {
        if (told.push(name) === 2) resolve()
      }
      queues.ask(first, tell("first"))
      // Its timer is older than this one, so that the list is being read by then.
      setTimeout(() => queues.ask(second, tell("second")), 1)
    })
    assert.deepStrictEqual(told, ["first", "second"])
    queues.stop()
    for (const socket of [first, second]) socket.destroy()
    server.close()
  })
})
