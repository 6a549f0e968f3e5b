import type { IncomingMessage, ServerResponse } from "node:http"

/** So much of a body that nobody wants is taken, in bytes. */
const mostTaken = 65_536
/** So long it may take to come, or its sender to read the answer; milliseconds. */
const lingerTime = 2_000

const dismiss = (request: IncomingMessage): void => {
  let taken = 0
  request.on("data", ({ length }: Buffer) => {
    taken += length
    // What comes now stays in the kernel, and its sender has to wait.
    if (taken > mostTaken) request.pause()
  })
  const cut = setTimeout(() => request.socket.destroy(), lingerTime).unref()
  request.once("close", () => clearTimeout(cut))
}

/**
 * Once a request is answered, Node reads the rest of its body for as long as it comes, only to throw it away. That would let
 * anybody keep the event loop busy; here it ends soon.
 */
export const dismissUnread = (request: IncomingMessage, response: ServerResponse): void => {
  // Before Node's own listener, which looks whether somebody else reads.
  response.prependOnceListener("finish", () => {
    if (!request.complete && request.readableFlowing === null) dismiss(request)
  })
}
