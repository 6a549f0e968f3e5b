import type { Socket } from "node:net"
import type { Readable } from "node:stream"

/*
 * The only place that reads private fields of Node: a socket's handle and a stream's state. Three features need them:
 * giving a read buffer to an accepted socket (`AcceptedSocket`), reading what a peer sent before it closed when a write
 * fails for that (`Unread`), and telling a truncated TLS connection from a closed one (`TlsEnd`). Where Node lacks the
 * field, the feature is off.
 */
const handleField = "_handle"
const stateField = "_readableState"

/** The libuv handle of a socket; `undefined` before it is connected and after it is closed. */
export const handleOf = (socket: Socket): object | undefined => {
  const handle: unknown = Reflect.get(socket, handleField)
  return typeof handle === "object" && handle !== null ? handle : undefined
}

/** Takes the handle away from a socket, for another one. `socket` must not be used afterwards. */
export const takeHandle = (socket: Socket): object | undefined => {
  const handle = handleOf(socket)
  if (handle !== undefined) Reflect.set(socket, handleField, null)
  return handle
}

/** Whether the end of a stream has been pushed. Its `end` event may still wait until buffered data has been read. */
export const hasReadEnd = (stream: Readable): boolean => {
  const state: unknown = Reflect.get(stream, stateField)
  return typeof state !== "object" || state === null || Reflect.get(state, "ended") !== false
}
