import type { Socket } from "node:net"
import { TLSSocket } from "node:tls"
import { hasReadEnd } from "./NodeHandle.js"

const truncated = new WeakSet<TLSSocket>()

/**
 * When the TCP connection `transport` ends, records whether TLS had ended before it. Only a close_notify proves that
 * the peer ended the connection; anybody on the path can send a FIN (RFC 8446 section 6.1). Call this before `socket`
 * listens to its transport.
 */
export const watchEnd = (transport: Socket, socket: () => TLSSocket): void => {
  transport.once("end", () => {
    const tls = socket()
    if (!hasReadEnd(tls)) truncated.add(tls)
  })
}

/** Whether an ended connection was TLS without a close_notify: data may be missing at its end. */
export const wasBrokenOff = (socket: Socket): boolean => socket instanceof TLSSocket && truncated.has(socket)
