// Requests with ambiguous framing, and requests with unusual bodies. The bytes after a request are a second request
// only to a parser that is wrong, so a proxy that is merely lenient passes.

/**
 * @typedef {object} Case
 * @property {string} what
 * @property {string} bytes latin1
 * @property {string} [body] that must arrive, if the request does
 */

const crlf = "\r\n"
/** A request that must never reach the server as a request of its own. */
export const hidden = "GET /bench/hidden HTTP/1.1\r\nHost: h\r\nX-A: b\r\n\r\n"
const chunked = "Transfer-Encoding: chunked"
/** @param {string} data */
const chunk = (data) => `${data.length.toString(16)}${crlf}${data}${crlf}`
/** @param {readonly string[]} [trailers] */
const lastChunk = (trailers = []) => ["0", ...trailers, "", ""].join(crlf)
/**
 * @param {string} line
 * @param {readonly string[]} [lines]
 * @param {string} [body]
 */
const bareRequest = (line, lines = [], body = "") => [`${line} HTTP/1.1`, ...lines, "", body].join(crlf)
/**
 * @param {string} line
 * @param {readonly string[]} [lines]
 * @param {string} [body]
 */
const request = (line, lines = [], body = "") => bareRequest(line, ["Host: proxy.test", ...lines], body)
/**
 * @param {readonly string[]} lines
 * @param {string} [body]
 */
const post = (lines, body = hidden) => request("POST /bench/x", lines, body)
const both = lastChunk() + hidden

/** @type {ReadonlyArray<readonly [what: string, bytes: string]>} */
const dubious = [
  ["Content-Length and Transfer-Encoding", post(["Content-Length: 5", chunked], both)],
  ["Transfer-Encoding and Content-Length", post([chunked, "Content-Length: 5"], both)],
  ["both, and Connection names one", post(["Content-Length: 5", chunked, "Connection: content-length"], both)],
  ["two Content-Length that differ", post(["Content-Length: 0", `Content-Length: ${hidden.length}`])],
  ["a list of Content-Length that differ", post([`Content-Length: 0, ${hidden.length}`])],
  ["Content-Length +5", post(["Content-Length: +5"])],
  ["Content-Length -1", post(["Content-Length: -1"])],
  ["Content-Length 0x5", post(["Content-Length: 0x5"])],
  ["Content-Length 5 5", post(["Content-Length: 5 5"])],
  ["Content-Length 5;", post(["Content-Length: 5;a"])],
  ["Content-Length 1e1", post(["Content-Length: 1e1"])],
  ["Content-Length 5.0", post(["Content-Length: 5.0"])],
  ["Content-Length of Arabic digits", post(["Content-Length: \xd9\xa5"])],
  ["Content-Length without a value", post(["Content-Length:"])],
  ["Content-Length beyond every number", post([`Content-Length: 1${"0".repeat(30)}`])],
  ["Content-Length that wraps at 64 bits", post(["Content-Length: 18446744073709551621"])],
  ["Transfer-Encoding: xchunked", post(["Transfer-Encoding: xchunked"], both)],
  ["Transfer-Encoding: chunked, identity", post(["Transfer-Encoding: chunked, identity"], both)],
  ["Transfer-Encoding: identity", post(["Transfer-Encoding: identity"], both)],
  ["Transfer-Encoding: gzip, chunked", post(["Transfer-Encoding: gzip, chunked"], lastChunk())],
  ["Transfer-Encoding: chunked, chunked", post(["Transfer-Encoding: chunked, chunked"], both)],
  ["two Transfer-Encoding lines", post([chunked, chunked], both)],
  ["two that differ", post([chunked, "Transfer-Encoding: identity"], both)],
  ['Transfer-Encoding: "chunked"', post(['Transfer-Encoding: "chunked"'], both)],
  ["Transfer-Encoding: chunked with vertical tab", post(["Transfer-Encoding: \x0bchunked"], both)],
  ["Transfer-Encoding: chunked;q=1", post(["Transfer-Encoding: chunked;q=1"], both)],
  [
    "Transfer-Encoding without a value, with Content-Length",
    post(["Transfer-Encoding:", "Content-Length: 5"], lastChunk()),
  ],
  ["Transfer-Encoding: , chunked", post(["Transfer-Encoding: , chunked", "Content-Length: 5"], both)],
  ["Transfer-Encoding in HTTP/1.0", post([chunked], both).replace("HTTP/1.1", "HTTP/1.0")],
  ["a space before the colon", post(["Content-Length : 5"])],
  ["a tab before the colon", post(["Transfer-Encoding\t: chunked"], both)],
  ["an empty field name", post([": x"], "")],
  ["a field without a colon", post(["Content-Length 5"])],
  ["a name with a space", post(["Content Length: 5"], "")],
  ["a name with a control byte", post(["Content\x01Length: 5"])],
  ["a name beyond ASCII", post(["Cont\xe9nt: 5"], "")],
  ["a folded line", post(["X-A: b", " Content-Length: 5"])],
  ["a folded first line", bareRequest("POST /bench/x", [" Host: h", "Content-Length: 5"], hidden)],
  ["a folded Transfer-Encoding", post(["Transfer-Encoding:", " chunked"], both)],
  ["NUL in a value", post(["X-A: a\0b"], "")],
  ["a control byte in a value", post(["X-A: a\x01b"], "")],
  ["DEL in a value", post(["X-A: a\x7fb"], "")],
  ["a bare CR in a value", post(["X-A: a\rContent-Length: 5"])],
  ["a bare CR before a line's end", post(["X-A: a\r"], "")],
  ["NUL in the target", request("GET /bench/x\0y")],
  ["a space in the target", request("GET /bench/x y")],
  ["a bare CR in the request line", request("GET /bench/x\ry")],
  ["a tab in the request line", "GET\t/bench/x\tHTTP/1.1\r\nHost: h\r\n\r\n"],
  ["a method that is no token", request("GE(T /bench/x")],
  ["no Host", bareRequest("GET /bench/x")],
  ["two Hosts", request("GET /bench/x", ["Host: other"])],
  ["two equal Hosts", request("GET /bench/x", ["Host: proxy.test"])],
  ["two Hosts and a target in absolute-form", request("GET http://h/bench/x", ["Host: other"])],
  ["a Host that is a list", bareRequest("GET /bench/x", ["Host: a, b"])],
  ["a Host with a path", bareRequest("GET /bench/x", ["Host: a/b"])],
  ["a Host with user info", bareRequest("GET /bench/x", ["Host: u@a"])],
  ["a target in absolute-form with user info", request("GET http://u@a/bench/x")],
  ["a target in absolute-form with quotes", request('GET http://a"<x>,b/bench/x')],
  ["HTTP/0.9", "GET /bench/x\r\n\r\n"],
  ["HTTP/1.1 in lower case", "GET /bench/x http/1.1\r\nHost: h\r\n\r\n"],
  ["HTTP/11", "GET /bench/x HTTP/11\r\nHost: h\r\n\r\n"],
  ["HTTP/0.9 with fields", "GET /bench/x HTTP/0.9\r\nHost: h\r\n\r\n"],
  ["HTTP/1.10", "GET /bench/x HTTP/1.10\r\nHost: h\r\n\r\n"],
  ["HTTP/2.0", "GET /bench/x HTTP/2.0\r\nHost: h\r\n\r\n"],
  ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ["a TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
  ["a field line before the request line", ` X: y\r\n${request("GET /bench/x")}`],
]

/** @type {ReadonlyArray<readonly [what: string, bytes: string]>} */
const lenient = [
  ["two equal Content-Length", post([`Content-Length: ${hidden.length}`, `Content-Length: ${hidden.length}`])],
  ["a list of equal Content-Length", post([`Content-Length: ${hidden.length}, ${hidden.length}`])],
  ["leading zeros", post([`Content-Length: 000${hidden.length}`])],
  ["bare LF for every line end", `${request("GET /bench/x", ["X-A: b"]).replaceAll("\r\n", "\n")}`],
  ["bare LF after a field", "GET /bench/x HTTP/1.1\r\nHost: h\nX-A: b\r\n\r\n"],
  [
    "bare LF at the end of the head",
    `POST /bench/x HTTP/1.1\r\nHost: h\r\nContent-Length: ${hidden.length}\r\n\n${hidden}`,
  ],
  ["empty lines before the request line", `\r\n\r\n${request("GET /bench/x")}`],
  ["two spaces in the request line", "GET  /bench/x HTTP/1.1\r\nHost: h\r\n\r\n"],
  ["a space after the version", "GET /bench/x HTTP/1.1 \r\nHost: h\r\n\r\n"],
  ["an empty Host", bareRequest("GET /bench/x", ["Host:"])],
  ["Transfer-Encoding: Chunked in mixed case", post(["Transfer-Encoding: cHuNkEd"], lastChunk())],
  ["Transfer-Encoding with spaces around", post(["Transfer-Encoding: \t chunked \t"], lastChunk())],
  ["a chunk extension without a name", post([chunked], `${hidden.length.toString(16)};\r\n${hidden}\r\n0\r\n\r\n`)],
  ["Content-Length in a trailer", post([chunked], lastChunk([`Content-Length: ${hidden.length}`]))],
  ["Transfer-Encoding in a trailer", post([chunked], lastChunk(["Transfer-Encoding: chunked"]))],
  ["Transfer_Encoding", post(["Transfer_Encoding: chunked", `Content-Length: ${hidden.length}`])],
  ["a body on HEAD", request("HEAD /bench/x", [`Content-Length: ${hidden.length}`], hidden)],
  ["Upgrade with a body", post(["Connection: Upgrade", "Upgrade: websocket", `Content-Length: ${hidden.length}`])],
  ["a request behind Connection: close and a tab", request("GET /bench/x", ["Connection: close\t"]) + hidden],
]

/** @type {ReadonlyArray<readonly [what: string, bytes: string]>} */
const brokenChunks = [
  ["a chunk size with a sign", post([chunked], `+${chunk(hidden)}${lastChunk()}`)],
  ["a chunk size in 0x", post([chunked], `0x${chunk(hidden)}${lastChunk()}`)],
  ["a chunk size with a blank before it", post([chunked], ` ${chunk(hidden)}${lastChunk()}`)],
  ["an empty chunk size", post([chunked], `\r\n${hidden}\r\n${lastChunk()}`)],
  ["a chunk size that wraps at 64 bits", post([chunked], `10000000000000000\r\n${both}`)],
  ["a chunk that ends in LF", post([chunked], `1\r\na\n${lastChunk()}`)],
  ["a chunk size that ends in LF", post([chunked], `1\na\r\n${lastChunk()}`)],
  ["a chunk size that ends in CR", post([chunked], `1\ra\r\n${lastChunk()}`)],
  ["a chunk longer than its size", post([chunked], `1\r\nab\r\n${both}`)],
  ["a bare LF in a chunk extension", post([chunked], `1;a\nb\r\na\r\n${lastChunk()}`)],
  ["a bare CR in a chunk extension", post([chunked], `1;a\rb\r\na\r\n${lastChunk()}`)],
  ["a last chunk of many zeros, then a request", post([chunked, "Connection: close"], `000000\r\n\r\n${hidden}`)],
  ["a trailer with a blank before the colon", post([chunked], `0\r\nT : a\r\n\r\n`)],
  ["a folded trailer", post([chunked], `0\r\nT: a\r\n b\r\n\r\n`)],
]

const methods = ["GET", "HEAD", "DELETE", "OPTIONS", "PUT", "PATCH", "TRACE", "PROPFIND"]

/** @type {readonly Case[]} */
export const cases = [
  ...[...dubious, ...lenient, ...brokenChunks].map(([what, bytes]) => ({ what, bytes })),
  ...methods.flatMap((method) => [
    {
      what: `a body with a length on ${method}`,
      bytes: request(`${method} /bench/x`, [`Content-Length: ${hidden.length}`], hidden),
      body: hidden,
    },
    {
      what: `a body in chunks on ${method}`,
      bytes: request(`${method} /bench/x`, [chunked], chunk(hidden) + lastChunk()),
      body: hidden,
    },
  ]),
  ...["Transfer-Encoding", "Content-Length", "Host"].map((name) => ({
    what: `Connection names ${name}`,
    bytes:
      name === "Content-Length"
        ? post([`Content-Length: ${hidden.length}`, `Connection: ${name}`])
        : post([chunked, `Connection: ${name}`], chunk(hidden) + lastChunk()),
    body: hidden,
  })),
  {
    what: "Upgrade: h2c with a body",
    bytes: post([
      "Connection: Upgrade, HTTP2-Settings",
      "Upgrade: h2c",
      "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
      `Content-Length: ${hidden.length}`,
    ]),
    body: hidden,
  },
  { what: "CONNECT", bytes: "CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n" + hidden },
  { what: "Expect: 200-ok", bytes: post(["Expect: 200-ok", `Content-Length: ${hidden.length}`]), body: hidden },
]
