import type { Socket } from "node:net"
import { TLSSocket } from "node:tls"

/**
 * Whether `end()` was called, the kernel has all data, and FIN is not reported as sent yet. In this state libuv refuses
 * a reset (EINVAL), and Node then forgets the connection without closing it: `close` never fires, and the descriptor
 * leaks.
 */
const isSendingFin = (socket: Socket): boolean =>
  socket.writableEnded && !socket.writableFinished && socket.writableLength === 0

/**
 * Ends a connection so that its peer cannot take a truncated message for a complete one. `close` fires in every state.
 * What the peer gets:
 *
 * - before `end()`, and after it while Node still has data to send: RST. `destroy()` would send FIN after part of the
 *   data.
 * - while FIN is being sent, with all data in the kernel: all data and FIN. That is correct, because nothing is
 *   missing.
 * - after FIN: RST. The kernel discards what it has not sent yet.
 *
 * Over TLS Node cannot send RST. None is needed: the missing close_notify tells the peer of the truncation.
 */
export const reset = (socket: Socket): void => {
  if (socket.destroyed) return
  if (socket instanceof TLSSocket || isSendingFin(socket)) socket.destroy()
  else socket.resetAndDestroy()
}

/** Ends a connection now: without a reset if all data and FIN have been sent, else with one. */
export const cut = (socket: Socket): void => {
  if (socket.writableFinished) socket.destroy()
  else reset(socket)
}
