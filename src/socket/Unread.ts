import { readSync } from "node:fs"
import type { Socket } from "node:net"
import { TLSSocket } from "node:tls"
import { handleOf } from "./NodeHandle.js"

const readSize = 65_536

/** The file descriptor of a connection. `undefined` for TLS, because a read on it would give ciphertext. */
export const descriptorOf = (socket: Socket): number | undefined => {
  const handle = socket instanceof TLSSocket ? undefined : handleOf(socket)
  const descriptor: unknown = handle === undefined ? undefined : Reflect.get(handle, "fd")
  return typeof descriptor === "number" && descriptor > 0 ? descriptor : undefined
}

/**
 * Reads what the kernel still holds of a connection on which a write has failed. Call it from the callback of that
 * write: Node closes the socket right after it, and would not read what the peer sent before it closed. Does not block.
 */
export const unreadOf = (socket: Socket): ReadonlyArray<Buffer> => {
  const found: Array<Buffer> = []
  const descriptor = descriptorOf(socket)
  if (descriptor === undefined) return found
  try {
    for (;;) {
      const bytes = Buffer.allocUnsafeSlow(readSize)
      const count = readSync(descriptor, bytes)
      if (count === 0) return found
      found.push(bytes.subarray(0, count))
    }
  } catch {
    // EAGAIN: no more data. ECONNRESET: the peer's reset.
    return found
  }
}
