/** `\r\n`. */
export const crlf = "\r\n"

const message = (startLine: string, lines: ReadonlyArray<string>, body: string): string =>
  [startLine, ...lines, "", body].join(crlf)

/**
 * The bytes of a request, as latin1. `line` is method and target: `"GET /app/x"`. A `Host` field is written first; a body
 * gets no framing field by itself.
 */
export const request = (line: string, lines: ReadonlyArray<string> = [], body = ""): string =>
  message(`${line} HTTP/1.1`, ["Host: proxy.test", ...lines], body)

/** The same without any field that is not given: for requests that have no `Host`, or more than one. */
export const bareRequest = (line: string, lines: ReadonlyArray<string> = [], body = ""): string =>
  message(`${line} HTTP/1.1`, lines, body)

/** The bytes of a response, as latin1. `status` is code and reason: `"200 OK"`. Nothing is added. */
export const response = (status: string, lines: ReadonlyArray<string> = [], body = ""): string =>
  message(`HTTP/1.1 ${status}`, lines, body)

/** A response with `Content-Length`. */
export const answer = (status: string, body: string, lines: ReadonlyArray<string> = []): string =>
  response(status, [`Content-Length: ${Buffer.byteLength(body, "latin1")}`, ...lines], body)

/** One chunk of a chunked body (RFC 9112 section 7.1). */
export const chunk = (data: string): string => `${Buffer.byteLength(data, "latin1").toString(16)}${crlf}${data}${crlf}`

/** The end of a chunked body. */
export const lastChunk = (trailers: ReadonlyArray<string> = []): string => ["0", ...trailers, "", ""].join(crlf)
