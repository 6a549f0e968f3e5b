import { listMembers, type RawFields } from "./HeaderFields.js"

/** Host, framing and connection options of a request, from its head (RFC 9112 sections 3.2, 6 and 9). */
export interface RequestFraming {
  /** The rule that the head breaks, as a sentence for the client; `undefined` if the head is valid. */
  readonly problem: string | undefined
  readonly host: string | undefined
  /** The number of bytes of content, `"chunked"`, or `"none"` if no field announces content. */
  readonly content: number | "chunked" | "none"
  /** The client waits for `100 Continue` before it sends the content (RFC 9110 section 10.1.1). */
  readonly expectsContinue: boolean
  /** The client keeps the connection open for another request (RFC 9112 section 9.3). */
  readonly persistent: boolean
  /** The client asks for an upgrade to WebSocket (RFC 9110 section 7.8, RFC 6455 section 4.1). */
  readonly upgrades: boolean
}

const hostAndPort = /^(?:\[[\da-fA-F:.]+\]|[\w.~!$&'()*+,;=%-]*)(?::(\d*))?$/
const largestPort = 65_535
const digits = /^\d+$/
const keepAlive = ["keep-alive"]

const refused = (problem: string): RequestFraming => ({
  problem,
  host: undefined,
  content: "none",
  expectsContinue: false,
  persistent: false,
  upgrades: false,
})

/**
 * Whether a text is a host with an optional port, as in `Host` (RFC 9110 section 7.2) or in an absolute-form target.
 */
export const isHost = (text: string): boolean => {
  const found = hostAndPort.exec(text)
  return found !== null && Number(found[1] ?? 0) <= largestPort
}

/**
 * Reads the fields that frame a request. Refuses all that two recipients could interpret differently, because that
 * allows request smuggling. `MessageParser` has checked the syntax of the fields before.
 */
export const requestFraming = (fields: RawFields, httpVersion: string): RequestFraming => {
  if (httpVersion !== "1.1" && httpVersion !== "1.0") return refused("Only HTTP/1.1 and HTTP/1.0 are spoken here.")
  let host: string | undefined
  let length: number | undefined
  let chunked = false
  let expectsContinue = false
  let isToClose = false
  let isToKeep = false
  let isToUpgrade = false
  let isForWebSocket = false
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] ?? ""
    const value = fields[index + 1] ?? ""
    switch (name.length) {
      case 4:
        if (name.toLowerCase() !== "host") break
        if (host !== undefined) return refused("The request has more than one Host field.")
        if (!isHost(value)) return refused("The Host field is not a host.")
        host = value
        break
      case 6:
        // HTTP/1.0 has no interim responses, so `Expect` is ignored there (RFC 9110 section 10.1.1).
        if (httpVersion !== "1.0" && name.toLowerCase() === "expect" && value.toLowerCase() === "100-continue")
          expectsContinue = true
        break
      case 7:
        if (name.toLowerCase() === "upgrade" && listMembers(value).includes("websocket")) isForWebSocket = true
        break
      case 10:
        if (name.toLowerCase() !== "connection") break
        for (const option of value === "keep-alive" ? keepAlive : listMembers(value)) {
          if (option === "close") isToClose = true
          else if (option === "keep-alive") isToKeep = true
          else if (option === "upgrade") isToUpgrade = true
        }
        break
      case 14:
        if (name.toLowerCase() !== "content-length") break
        if (length !== undefined) return refused("The request has more than one Content-Length field.")
        if (!digits.test(value)) return refused("The Content-Length field is not a number.")
        length = Number(value)
        if (!Number.isSafeInteger(length)) return refused("The Content-Length field is too large a number.")
        break
      case 17:
        if (name.toLowerCase() !== "transfer-encoding") break
        if (chunked || value.toLowerCase() !== "chunked")
          return refused('The only transfer coding that is understood is a single "chunked".')
        chunked = true
        break
    }
  }
  if (chunked && length !== undefined) return refused("The request has both Content-Length and Transfer-Encoding.")
  if (chunked && httpVersion === "1.0") return refused("HTTP/1.0 knows no Transfer-Encoding.")
  if (host === undefined && httpVersion !== "1.0") return refused("The request has no Host field.")
  return {
    problem: undefined,
    host,
    content: chunked ? "chunked" : (length ?? "none"),
    expectsContinue,
    persistent: !isToClose && (isToKeep || httpVersion === "1.1"),
    upgrades: isToUpgrade && isForWebSocket,
  }
}
