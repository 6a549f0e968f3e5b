import { readSync } from "node:fs"
import type { Socket } from "node:net"
import { TLSSocket } from "node:tls"
import { handleOf } from "./NodeHandle.js"

const readSize = 65_536

/** The number of a connection's file. That of TLS would give what is encrypted. */
export const descriptorOf = (socket: Socket): number | undefined => {
  const handle = socket instanceof TLSSocket ? undefined : handleOf(socket)
  const descriptor: unknown = handle === undefined ? undefined : Reflect.get(handle, "fd")
  return typeof descriptor === "number" && descriptor > 0 ? descriptor : undefined
}

/**
 * What the kernel still has of a connection on which a write has failed, to be asked for from the callback of that write:
 * node closes the socket right behind it, and would never read what its peer said before it hung up. Nothing waits here.
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
    // There is no more, or the reset is next.
    return found
  }
}
