import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { splitRequests } from "../support/HttpMessage.js"
import { bareRequest, chunk, lastChunk, request } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"

const chunked = "Transfer-Encoding: chunked"
/** What an attacker wants the session's server to see as a request. */
const hidden = "GET /app/hidden HTTP/1.1\r\nHost: h\r\nX-A: b\r\n\r\n"
const post = (lines: ReadonlyArray<string>, body = hidden) => request("POST /app/x", lines, body)
const both = lastChunk() + hidden

/** Requests that no two readers understand alike. They must never reach a session's server. */
const refused: ReadonlyArray<readonly [what: string, bytes: string]> = [
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
  ["Transfer-Encoding: gzip, chunked", post(["Transfer-Encoding: gzip, chunked"], both)],
  ["Transfer-Encoding: chunked, chunked", post(["Transfer-Encoding: chunked, chunked"], both)],
  ["two Transfer-Encoding lines", post([chunked, chunked], both)],
  ["two that differ", post([chunked, "Transfer-Encoding: identity"], both)],
  ['Transfer-Encoding: "chunked"', post(['Transfer-Encoding: "chunked"'], both)],
  ["Transfer-Encoding: chunked with vertical tab", post(["Transfer-Encoding: \x0bchunked"], both)],
  ["Transfer-Encoding: chunked;q=1", post(["Transfer-Encoding: chunked;q=1"], both)],
  ["Transfer-Encoding without a value, with Content-Length", post(["Transfer-Encoding:", "Content-Length: 5"], both)],
  ["Transfer-Encoding: , chunked", post(["Transfer-Encoding: , chunked", "Content-Length: 5"], both)],
  ["Transfer-Encoding in HTTP/1.0", post([chunked], both).replace("HTTP/1.1", "HTTP/1.0")],
  ["a space before the colon", post(["Content-Length : 5"])],
  ["a tab before the colon", post(["Transfer-Encoding\t: chunked"], both)],
  ["an empty field name", post([": x"])],
  ["a field without a colon", post(["Content-Length 5"])],
  ["a name with a space", post(["Content Length: 5"])],
  ["a name with a control byte", post(["Content\x01Length: 5"])],
  ["a name beyond ASCII", post(["Cont\xe9nt: 5"])],
  ["a folded line", post(["X-A: b", " Content-Length: 5"])],
  ["a folded first line", bareRequest("POST /app/x", [" Host: h", "Content-Length: 5"], hidden)],
  ["a folded Transfer-Encoding", post(["Transfer-Encoding:", " chunked"], both)],
  ["NUL in a value", post(["X-A: a\0b"])],
  ["a control byte in a value", post(["X-A: a\x01b"])],
  ["DEL in a value", post(["X-A: a\x7fb"])],
  ["a bare CR in a value", post(["X-A: a\rContent-Length: 5"])],
  ["a bare CR before a line's end", post(["X-A: a\r"])],
  ["NUL in the target", request("GET /app/x\0y")],
  ["a space in the target", request("GET /app/x y")],
  ["a bare CR in the request line", request("GET /app/x\ry")],
  ["a tab in the request line", "GET\t/app/x\tHTTP/1.1\r\nHost: h\r\n\r\n"],
  ["a method that is no token", request("GE(T /app/x")],
  ["no Host", bareRequest("GET /app/x")],
  ["two Hosts", request("GET /app/x", ["Host: other"])],
  ["two equal Hosts", request("GET /app/x", ["Host: proxy.test"])],
  ["two Hosts and a target in absolute-form", request("GET http://h/app/x", ["Host: other"])],
  ["a Host that is a list", bareRequest("GET /app/x", ["Host: a, b"])],
  ["a Host with a path", bareRequest("GET /app/x", ["Host: a/b"])],
  ["a Host with user info", bareRequest("GET /app/x", ["Host: u@a"])],
  ["a Host with a port that is none", bareRequest("GET /app/x", ["Host: a:99999"])],
  ["a target in absolute-form with user info", request("GET http://u@a/app/x")],
  ["a target in absolute-form with a port that is none", request("GET http://a:99999/app/x")],
  ["a target in absolute-form with quotes", request('GET http://a"<x>,b/app/x')],
  ["HTTP/0.9", "GET /app/x\r\n\r\n"],
  ["HTTP/1.1 in lower case", "GET /app/x http/1.1\r\nHost: h\r\n\r\n"],
  ["HTTP/11", "GET /app/x HTTP/11\r\nHost: h\r\n\r\n"],
  ["HTTP/0.9 with fields", "GET /app/x HTTP/0.9\r\nHost: h\r\n\r\n"],
  ["HTTP/1.10", "GET /app/x HTTP/1.10\r\nHost: h\r\n\r\n"],
  ["HTTP/2.0", "GET /app/x HTTP/2.0\r\nHost: h\r\n\r\n"],
  ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ["a TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
  ["a field line before the request line", ` X: y\r\n${request("GET /app/x")}`],
]

/** Requests that may be refused, or be forwarded as one. */
const refusedOrOne: ReadonlyArray<readonly [what: string, bytes: string]> = [
  ["two equal Content-Length", post([`Content-Length: ${hidden.length}`, `Content-Length: ${hidden.length}`])],
  ["a list of equal Content-Length", post([`Content-Length: ${hidden.length}, ${hidden.length}`])],
  ["leading zeros", post([`Content-Length: 000${hidden.length}`])],
  ["bare LF for every line end", `${request("GET /app/x", ["X-A: b"]).replaceAll("\r\n", "\n")}`],
  ["bare LF after a field", "GET /app/x HTTP/1.1\r\nHost: h\nX-A: b\r\n\r\n"],
  [
    "bare LF at the end of the head",
    `POST /app/x HTTP/1.1\r\nHost: h\r\nContent-Length: ${hidden.length}\r\n\n${hidden}`,
  ],
  ["empty lines before the request line", `\r\n\r\n${request("GET /app/x")}`],
  ["two spaces in the request line", "GET  /app/x HTTP/1.1\r\nHost: h\r\n\r\n"],
  ["a space after the version", "GET /app/x HTTP/1.1 \r\nHost: h\r\n\r\n"],
  ["an empty Host", bareRequest("GET /app/x", ["Host:"])],
  ["Transfer-Encoding: Chunked in mixed case", post(["Transfer-Encoding: cHuNkEd"], lastChunk())],
  ["Transfer-Encoding with spaces around", post(["Transfer-Encoding: \t chunked \t"], lastChunk())],
  ["a chunk extension without a name", post([chunked], `${hidden.length.toString(16)};\r\n${hidden}\r\n0\r\n\r\n`)],
  ["Content-Length in a trailer", post([chunked], lastChunk([`Content-Length: ${hidden.length}`]))],
  ["Transfer-Encoding in a trailer", post([chunked], lastChunk(["Transfer-Encoding: chunked"]))],
  ["Transfer_Encoding", post(["Transfer_Encoding: chunked", `Content-Length: ${hidden.length}`])],
  ["a body on HEAD", request("HEAD /app/x", [`Content-Length: ${hidden.length}`], hidden)],
  ["Upgrade with a body", post(["Connection: Upgrade", "Upgrade: websocket", `Content-Length: ${hidden.length}`])],
  ["a request behind Connection: close", request("GET /app/x", ["Connection: close"]) + hidden],
  ["a request behind Connection: close and a tab", request("GET /app/x", ["Connection: close\t"]) + hidden],
  ["a request behind one that is refused", request("GET /app/x", ["Content-Length: x"]) + hidden],
  ["a carriage return before the request line", `\r${request("GET /app/x")}`],
  ["a target that runs into the version", request("GET /app/x").replace(" HTTP", "HTTP")],
]

/** Chunked bodies that are none (RFC 9112 section 7.1). What they end in, or hide, must not become a request. */
const broken: ReadonlyArray<readonly [what: string, body: string]> = [
  ["a size with a sign", `+${chunk(hidden)}${both}`],
  ["a negative size", `-1\r\na\r\n${both}`],
  ["a size in 0x", `0x${chunk(hidden)}${both}`],
  ["a size that is no number", `zz\r\n${both}`],
  ["a size with a blank before it", ` ${chunk(hidden)}${both}`],
  ["a size with a blank behind it", `1 \r\na\r\n${both}`],
  ["a size with a blank before its extension", `1 ;a\r\na\r\n${both}`],
  ["a size with digits of another script", `\xd9\xa1\r\na\r\n${both}`],
  ["a size with an underscore", `1_0\r\n${both}`],
  ["no size", `\r\n${hidden}\r\n${both}`],
  ["a size that wraps at 64 bits", `10000000000000001\r\na\r\n${both}`],
  ["a size line that ends in LF", `1\na\r\n${both}`],
  ["a size line that ends in CR", `1\ra\r\n${both}`],
  ["a chunk that ends in LF", `1\r\na\n${both}`],
  ["a chunk that ends in CR", `1\r\na\r${both}`],
  ["a chunk longer than its size", `1\r\nab\r\n${both}`],
  ["a chunk shorter than its size", `3\r\na\r\n${both}`],
  ["a bare LF in an extension", `1;a\nb\r\na\r\n${both}`],
  ["a bare CR in an extension", `1;a\rb\r\na\r\n${both}`],
  ["NUL in an extension", `1;a\0\r\na\r\n${both}`],
  ["an extension without end", `1;${"a".repeat(100_000)}`],
  ["a trailer with a blank before its colon", `0\r\nT : a\r\n\r\n${hidden}`],
  ["a trailer without a colon", `0\r\nGET /app/hidden HTTP/1.1\r\n\r\n`],
  ["a folded trailer", `0\r\nT: a\r\n b\r\n\r\n${hidden}`],
  ["trailers without end", `0\r\n${"T: a\r\n".repeat(20_000)}`],
]

describe("a chunked body that is none", () => {
  for (const [what, body] of broken) {
    for (const pause of [false, true]) {
      it.scopedLive(`never ends at the session's server${pause ? ", which has its head already" : ""}: ${what}`, () =>
        Effect.gen(function* () {
          const { origin, proxy, ask } = yield* startLab()
          const client = yield* proxy.connect
          yield* client.send(post([chunked], ""))
          if (pause) yield* origin.connection()
          yield* client.send(body)
          yield* client.gone
          if (client.text !== "") assert.include(["400", "413", "431"], client.text.slice(9, 12), client.text)
          assert.strictEqual(origin.requests.length, 0, origin.text)
          yield* origin.deserted
          assert.strictEqual((yield* ask(request("GET /app/after"))).status, 200)
          assert.deepStrictEqual(
            origin.requests.map((one) => one.target),
            ["/after"],
          )
        }),
      )
    }
  }

  for (const [what, fields, body] of [
    ["without its last chunk", [chunked], chunk(hidden)],
    ["without the end of its last chunk", [chunked], `${chunk(hidden)}0\r\n`],
    ["in the middle of a trailer", [chunked], `${chunk(hidden)}0\r\nT: a\r\n`],
    ["in a chunk that wraps at 32 bits", [chunked], `100000001\r\na\r\n${both}`],
    ["shorter than its length", ["Content-Length: 500"], hidden],
  ] as const) {
    it.scopedLive(`nor one that the client leaves ${what}`, () =>
      Effect.gen(function* () {
        const { origin, proxy } = yield* startLab()
        const client = yield* proxy.connect
        yield* client.send(post(fields, ""))
        yield* origin.connection()
        yield* client.send(body)
        yield* client.finish
        yield* client.gone
        yield* origin.deserted
        assert.strictEqual(origin.requests.length, 0, origin.text)
      }),
    )
  }
})

describe("a request that is not to be trusted", () => {
  for (const [what, bytes] of refused) {
    it.scopedLive(`is refused, and its connection closed: ${what}`, () =>
      Effect.gen(function* () {
        const { origin, proxy } = yield* startLab()
        const client = yield* proxy.connect
        yield* client.send(bytes)
        // What has no end of a head in it may be the beginning of anything.
        if (!bytes.includes("\r\n\r\n")) yield* client.finish
        const reply = yield* client.response()
        yield* client.gone
        assert.include([400, 501, 505], reply.status, client.text)
        assert.strictEqual(client.unread, "")
        assert.strictEqual(origin.requests.length, 0, origin.text)
      }),
    )
  }

  for (const [what, bytes] of refusedOrOne) {
    it.scopedLive(`is refused, or reaches the session's server as exactly one: ${what}`, () =>
      Effect.gen(function* () {
        const { origin, proxy, ask } = yield* startLab()
        const client = yield* proxy.connect
        const first = yield* Effect.zipRight(client.send(bytes), client.response(bytes.split(" ", 1)[0]))
        if (first.status >= 400) yield* client.gone
        assert.strictEqual((yield* ask(request("GET /app/after"))).status, 200)
        const seen = origin.connections.flatMap(({ received }) =>
          splitRequests(received).strict.map((one) => one.target),
        )
        assert.deepStrictEqual(seen, first.status === 400 ? ["/after"] : ["/x", "/after"])
        for (const { received } of origin.connections) assert.strictEqual(splitRequests(received).rest, "")
      }),
    )
  }
})
