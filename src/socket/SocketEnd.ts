import type { Socket } from "node:net"
import { TLSSocket } from "node:tls"

/** Breaks a connection off so that its peer cannot take what it got for complete. */
export const reset = (socket: Socket): void => {
  // Over TLS there is no way to send RST, and no need: the missing close_notify says the same.
  if (socket instanceof TLSSocket) socket.destroy()
  else socket.resetAndDestroy()
}

/** Ends a connection now: politely where the peer was sent everything and FIN, by a reset where it was not. */
export const cut = (socket: Socket): void => {
  if (socket.destroyed) return
  if (socket.writableFinished) socket.destroy()
  else reset(socket)
}
