import { Socket } from "node:net"
import { takeHandle } from "./NodeHandle.js"
import { BufferedInput, readsInto } from "./SocketInput.js"

/**
 * The same connection as a socket that reads into memory of ours. `accepted` must not have been read from, and is not to be
 * used again.
 *
 * Sockets can be given memory to read to (`onread`), but not those that a server accepts, for which 64 KiB are allocated,
 * cut and collected at every read. That was a tenth of the cost of a small request and half of that of an upload.
 */
export const readingIntoOurMemory = (accepted: Socket): Socket => {
  const handle = takeHandle(accepted)
  // It was accepted paused, which a socket made of its handle is not.
  if (handle === undefined) return accepted.resume()
  const input = new BufferedInput()
  const options = { handle, allowHalfOpen: true, onread: input.options }
  const socket = new Socket(options)
  readsInto(socket, input)
  return socket
}
