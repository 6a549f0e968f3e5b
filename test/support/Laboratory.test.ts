import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { MalformedMessage, readResponse, splitRequests } from "./HttpMessage.js"
import { answer, chunk, lastChunk, request, response } from "./HttpText.js"
import { RawClient } from "./RawClient.js"
import { answering, RawOrigin, saying } from "./RawOrigin.js"

const bytes = (text: string) => Buffer.from(text, "latin1")

describe("the laboratory itself", () => {
  it("tells a request hidden in a body from one of its own", () => {
    const hidden = request("GET /hidden")
    const framed = splitRequests(bytes(request("DELETE /app", [`Content-Length: ${hidden.length}`], hidden)))
    assert.deepStrictEqual([framed.strict.length, framed.naive, framed.rest], [1, 2, ""])
    const bare = splitRequests(bytes(request("DELETE /app") + hidden))
    assert.deepStrictEqual([bare.strict.length, bare.naive], [2, 2])
  })

  it("reads chunks and trailers, and refuses two kinds of framing", () => {
    const sent = request("POST /", ["Transfer-Encoding: chunked"], chunk("ab") + chunk("c") + lastChunk(["T: 1"]))
    const [only] = splitRequests(bytes(sent)).strict
    assert.strictEqual(only?.text, "abc")
    assert.deepStrictEqual(only?.trailers, [["T", "1"]])
    const both = request("POST /", ["Transfer-Encoding: chunked", "Content-Length: 3"], lastChunk())
    assert.throws(() => splitRequests(bytes(both)), MalformedMessage)
  })

  it("reads interim responses before the final one, and no body after HEAD", () => {
    const both = bytes(response("103 Early Hints", ["Link: x"]) + response("200 OK", ["Content-Length: 9"]))
    const read = readResponse(both, 0, "HEAD", false)
    assert.deepStrictEqual([read?.message.status, read?.message.interim.length], [200, 1])
    assert.strictEqual(readResponse(both, 0, "GET", false), undefined)
  })

  it.scopedLive("records what a client sends, and shows the client what the origin answers", () =>
    Effect.gen(function* () {
      const origin = yield* RawOrigin.start(answering(answer("200 OK", "one"), answer("404 Not Found", "two")))
      const client = yield* RawClient.connect(origin.port)
      const first = yield* client.ask("GET /1 HTTP/1.1\r\n", "Host: h\r\n\r\n")
      const second = yield* client.ask(request("GET /2"))
      assert.deepStrictEqual([first.text, second.status, second.text], ["one", 404, "two"])
      assert.strictEqual((yield* origin.request(1)).target, "/2")
      client.socket.destroy()
    }),
  )

  it.scopedLive("tells a reset from an end", () =>
    Effect.gen(function* () {
      for (const [then, seen] of [
        ["finish", "finished"],
        ["reset", "reset"],
      ] as const) {
        const origin = yield* RawOrigin.start(saying("HTTP/1.1 200 OK\r\n\r\nhalf", then))
        const client = yield* RawClient.connect(origin.port)
        yield* client.send(request("GET /"))
        assert.strictEqual(yield* client.gone, seen)
      }
    }),
  )
})
