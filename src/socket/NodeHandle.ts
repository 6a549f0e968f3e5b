import type { Socket } from "node:net"

/*
 * The one place where a private field of node is used: what a socket does its reads and writes by. Two things cannot be had
 * without it. A server's sockets cannot be given memory to read to (`AcceptedSocket`), and what a peer said before it hung
 * up is lost where a write finds that out (`Unread`). Where there is no such field, both are left out.
 */
const field = "_handle"

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
