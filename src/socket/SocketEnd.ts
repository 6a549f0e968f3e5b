import type { Socket } from "node:net"
import { TLSSocket } from "node:tls"

/**
 * Whether FIN is on its way, behind data all of which the kernel has. In this state libuv refuses a reset (EINVAL), and
 * node forgets the connection without closing it: no `close` ever comes, and its file stays open.
 */
const isHangingUp = (socket: Socket): boolean =>
  socket.writableEnded && !socket.writableFinished && socket.writableLength === 0

/**
 * Breaks a connection off so that its peer cannot take what it got for complete. `close` follows in every state. What the
 * peer gets:
 *
 * - before `end()`, and behind it while node still has data to send: RST. `destroy()` would send FIN here, behind half of
 *   the data.
 * - while FIN is on its way behind data all of which the kernel has: everything and FIN, as if nothing was broken off. What
 *   was said was complete.
 * - behind FIN: RST, which takes what the kernel has not sent yet with it.
 *
 * Over TLS there is no way to send RST, and no need: the missing close_notify says the same.
 */
export const reset = (socket: Socket): void => {
  if (socket.destroyed) return
  if (socket instanceof TLSSocket || isHangingUp(socket)) socket.destroy()
  else socket.resetAndDestroy()
}

/** Ends a connection now: politely where the peer was sent everything and FIN, by a reset where it was not. */
export const cut = (socket: Socket): void => {
  if (socket.writableFinished) socket.destroy()
  else reset(socket)
}
