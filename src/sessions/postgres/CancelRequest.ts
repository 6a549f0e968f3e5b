import { createConnection } from "node:net"
import { hostText, isSocket, type PostgresHost } from "./PostgresPlace.js"

/** What a CancelRequest has in the place of a protocol's number (PostgreSQL's manual, "Message Formats"). */
const cancelCode = 80_877_102
const messageLength = 16

/** A server that takes no cancellation in this time has other troubles; milliseconds. */
const longestCancel = 1_000

const numberIn = (client: object, name: string): number | undefined => {
  const value: unknown = Reflect.get(client, name)
  return typeof value === "number" ? value : undefined
}

/**
 * Asks the server to give up the statement that it runs for a client: a connection that is merely closed leaves a server that
 * waits for a lock where it is, and holds one of its places for connections until it gets the lock. Nobody waits for this,
 * and there is no answer. The connection of `client` has to be closed behind it, or another statement may be hit.
 */
export const cancelStatement = (server: PostgresHost, client: object): void => {
  const [processId, key] = [numberIn(client, "processID"), numberIn(client, "secretKey")]
  if (processId === undefined || key === undefined) return
  const message = Buffer.alloc(messageLength)
  for (const [at, number] of [messageLength, cancelCode, processId, key].entries()) message.writeInt32BE(number, 4 * at)
  const socket = createConnection(isSocket(server) ? { path: hostText(server) } : { ...server })
  socket.on("error", () => {})
  socket.setTimeout(longestCancel, () => socket.destroy())
  socket.unref()
  socket.end(message)
  // The server says nothing, and closes; only what is read tells of that.
  socket.resume()
}
