import type { Socket } from "node:net"
import type { Readable } from "node:stream"

/*
 * The one place where private fields of node are used: what a socket does its reads and writes by, and what a stream knows
 * of itself. Three things cannot be had without them. A server's sockets cannot be given memory to read to
 * (`AcceptedSocket`), what a peer said before it hung up is lost where a write finds that out (`Unread`), and a TLS
 * connection that was cut off looks as one that ended (`TlsEnd`). Where there is no such field, each is left out.
 */
const field = "_handle"
const stateField = "_readableState"

/** What a socket is a face of; `undefined` where it has none (any more). */
export const handleOf = (socket: Socket): object | undefined => {
  const handle: unknown = Reflect.get(socket, field)
  return typeof handle === "object" && handle !== null ? handle : undefined
}

/** The same, for another socket: this one is not to be used again. */
export const takeHandle = (socket: Socket): object | undefined => {
  const handle = handleOf(socket)
  if (handle !== undefined) Reflect.set(socket, field, null)
  return handle
}

/** Whether a stream has been told of its end, although its `end` may have to wait for somebody to read what came before. */
export const hasReadEnd = (stream: Readable): boolean => {
  const state: unknown = Reflect.get(stream, stateField)
  return typeof state !== "object" || state === null || Reflect.get(state, "ended") !== false
}
