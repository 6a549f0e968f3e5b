import { layer } from "@effect/vitest"
import { Effect, Exit, Layer, Scope } from "effect"
import { EventSource } from "eventsource"
import { once } from "node:events"
import { request as httpRequest } from "node:http"
import type { IncomingMessage } from "node:http"
import { connect } from "node:net"
import OpenAI, { BadRequestError } from "openai"
import { describe, expect, it } from "vitest"
import { WebSocket } from "ws"
import { DemoDownstream } from "../../src/demo/DemoDownstream.js"

/** A test that runs against the demo server, given its URL. */
const withUrl = (test: (url: string) => Promise<void>) => () =>
  Effect.flatMap(DemoDownstream, ({ url }) => Effect.promise(() => test(url)))

const json = async (url: string, init?: RequestInit): Promise<unknown> => (await fetch(url, init)).json()

/** Asks with the field pairs given, as they are; `fetch` would fold them. */
const rawRequest = async (url: string, fields: ReadonlyArray<string>): Promise<IncomingMessage> => {
  const request = httpRequest(url, { headers: [...fields] }).end()
  const [response] = await once(request, "response")
  return response as IncomingMessage
}

const bodyOf = async (response: IncomingMessage): Promise<string> =>
  Buffer.concat((await response.toArray()) as Array<Buffer>).toString("utf8")

const saying = (text: string) => ({ messages: [{ role: "user", content: text }], model: "any-model" })
/** Without the pauses between words. */
const clientOf = (url: string) =>
  new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0, defaultQuery: { interval: "0" } })

layer(DemoDownstream.layer, { excludeTestServices: true })("DemoDownstream", (it) => {
  it.effect(
    "lists what it does, under its base path and without it",
    withUrl(async (url) => {
      expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/built-in-demo$/)
      const page = await (await fetch(url)).text()
      expect(page).toContain("/v1/chat/completions")
      expect(await (await fetch(`${url}/`)).text()).toBe(page)
      expect(await (await fetch(new URL("/", url))).text()).toBe(page)
      expect((await fetch(new URL("/built-in-demonstration", url))).status).toBe(404)
    }),
  )

  describe("showing the request", () => {
    it.effect(
      "shows arguments, fields and address on /get",
      withUrl(async (url) => {
        const fields = ["Host", "demo.test", "X-Twice", "one", "x-twice", "two", "X-Forwarded-For", "192.0.2.1"]
        const response = await rawRequest(`${url}/get?a=1&b=2&a=3&__proto__=x`, fields)
        const shown = JSON.parse(await bodyOf(response)) as { args: object }
        expect(shown).toMatchObject({
          args: { a: ["1", "3"], b: "2" },
          headers: { Host: "demo.test", "X-Twice": "one, two" },
          origin: "192.0.2.1",
          url: "http://demo.test/built-in-demo/get?a=1&b=2&a=3&__proto__=x",
        })
        expect(Object.keys(shown.args)).toContain("__proto__")
      }),
    )

    it.effect(
      "shows the body as text, JSON, form or files",
      withUrl(async (url) => {
        const post = (body: NonNullable<RequestInit["body"]>, type?: string) =>
          json(`${url}/post`, {
            method: "POST",
            body,
            ...(type === undefined ? {} : { headers: { "content-type": type } }),
          })
        expect(await post('{"a":[1]}', "application/json")).toMatchObject({
          data: '{"a":[1]}',
          json: { a: [1] },
          form: {},
        })
        expect(await post("not json", "application/json")).toMatchObject({ data: "not json", json: null })
        expect(await post(new URLSearchParams("x=1&x=2&y=ü"))).toMatchObject({
          form: { x: ["1", "2"], y: "ü" },
          data: "",
        })
        expect(await post(Buffer.from([0xff, 0xfe]), "image/png")).toMatchObject({ data: "data:image/png;base64,//4=" })
        const form = new FormData()
        form.set("field", "value")
        form.set("file", new Blob(["content"]), "a.txt")
        expect(await post(form)).toMatchObject({ form: { field: "value" }, files: { file: "content" } })
        expect(await post("--x\r\nbroken", "multipart/form-data; boundary=x")).toMatchObject({ data: "--x\r\nbroken" })
      }),
    )

    it.effect(
      "takes any method and any path on /anything",
      withUrl(async (url) => {
        const shown = await json(`${url}/anything/a%2Fb//c?q`, { method: "REPORT", body: "x" })
        expect(shown).toMatchObject({ method: "REPORT", url: `${url}/anything/a%2Fb//c?q`, data: "x", args: { q: "" } })
      }),
    )

    it.effect(
      "shows fields and address on their own",
      withUrl(async (url) => {
        expect(await json(`${url}/headers`, { headers: { "x-a": "b" } })).toMatchObject({ headers: { "x-a": "b" } })
        expect(await json(`${url}/ip`)).toEqual({ origin: "127.0.0.1" })
      }),
    )

    it.effect(
      "refuses a body that is too large to show, and answers all the same",
      withUrl(async (url) => {
        const response = await fetch(`${url}/post`, { method: "POST", body: Buffer.alloc(17 * 1024 * 1024) })
        expect([response.status, await response.json()]).toMatchObject([413, { status: 413 }])
        // On the same connection, if it can be used again.
        expect((await fetch(`${url}/get`)).status).toBe(200)
      }),
    )

    it.effect(
      "counts an upload",
      withUrl(async (url) => {
        const body = Buffer.alloc(3_000_000)
        expect(await json(`${url}/upload`, { method: "POST", body })).toEqual({ bytes: 3_000_000 })
        expect(await json(`${url}/upload`, { method: "PUT" })).toEqual({ bytes: 0 })
      }),
    )
  })

  describe("answers to order", () => {
    it.effect(
      "answers with the status asked for",
      withUrl(async (url) => {
        for (const status of [200, 204, 304, 404, 418, 503, 599]) {
          const response = await fetch(`${url}/status/${status}`, { method: "POST", body: "ignored" })
          expect([response.status, await response.text()]).toEqual([status, ""])
        }
        expect((await fetch(`${url}/status/401`)).headers.get("www-authenticate")).toMatch(/^Basic/)
        for (const bad of ["100", "600", "abc", "", "200.5", "-1"])
          expect((await fetch(`${url}/status/${bad}`)).status).toBe(400)
      }),
    )

    it.effect(
      "redirects so many times, relative to where it is reached",
      withUrl(async (url) => {
        const response = await fetch(`${url}/redirect/3?`)
        expect([response.url, response.status]).toEqual([`${url}/get`, 200])
        const first = await fetch(`${url}/redirect/3`, { redirect: "manual" })
        expect([first.status, first.headers.get("location")]).toEqual([302, "2"])
      }),
    )

    it.effect(
      "sets every cookie in a field of its own, and shows those it is sent",
      withUrl(async (url) => {
        const response = await fetch(`${url}/cookies/set?a=1&b=two%20words`, { redirect: "manual" })
        expect([response.status, response.headers.get("location")]).toEqual([302, "../cookies"])
        expect(response.headers.getSetCookie()).toEqual(["a=1", "b=two%20words"])
        expect(await json(`${url}/cookies`, { headers: { cookie: "a=1; b=2;c" } })).toEqual({
          cookies: { a: "1", b: "2" },
        })
        expect((await fetch(`${url}/cookies/set?a%0d%0ab=1`, { redirect: "manual" })).status).toBe(400)
      }),
    )

    it.effect(
      "sends random bytes with a length, or in chunks",
      withUrl(async (url) => {
        const response = await fetch(`${url}/bytes/200001`)
        expect(response.headers.get("content-length")).toBe("200001")
        const bytes = Buffer.from(await response.arrayBuffer())
        expect([bytes.length, new Set(bytes).size]).toEqual([200_001, 256])
        const chunked = await fetch(`${url}/stream-bytes/200001`)
        expect(chunked.headers.get("transfer-encoding")).toBe("chunked")
        expect((await chunked.arrayBuffer()).byteLength).toBe(200_001)
        expect((await (await fetch(`${url}/bytes/0`)).arrayBuffer()).byteLength).toBe(0)
        expect((await fetch(`${url}/bytes/${2 ** 30 + 1}`)).status).toBe(400)
      }),
    )

    it.effect(
      "makes no more bytes than a slow reader takes",
      withUrl(async (url) => {
        const before = process.memoryUsage().rss
        const response = await rawRequest(`${url}/bytes/${2 ** 30}`, ["Host", "x"])
        response.once("error", () => {})
        await once(response, "readable")
        // A round trip on another connection: the server has been given its turn to fill what it can.
        for (let turn = 0; turn < 20; turn++) await json(`${url}/get`)
        expect(process.memoryUsage().rss - before).toBeLessThan(128 * 2 ** 20)
        response.destroy()
      }),
    )

    it.effect(
      "streams lines of JSON",
      withUrl(async (url) => {
        const lines = (await (await fetch(`${url}/stream/5`)).text()).trimEnd().split("\n")
        expect(lines.map((line) => (JSON.parse(line) as { id: number }).id)).toEqual([0, 1, 2, 3, 4])
        expect(await (await fetch(`${url}/stream/0`)).text()).toBe("")
      }),
    )

    it.effect(
      "waits as long as it is told",
      withUrl(async (url) => {
        const start = performance.now()
        expect(await json(`${url}/delay/0.15`)).toMatchObject({ method: "GET" })
        expect(performance.now() - start).toBeGreaterThan(140)
        expect((await fetch(`${url}/delay/61`)).status).toBe(400)
        expect(await (await fetch(`${url}/drip?numbytes=4&duration=0.1`)).text()).toBe("****")
      }),
    )
  })

  describe("refusals", () => {
    it.effect(
      "answers what it does not know as JSON",
      withUrl(async (url) => {
        const response = await fetch(`${url}/nothing/here`)
        expect([response.status, await response.json()]).toMatchObject([404, { status: 404 }])
        const wrong = await fetch(`${url}/get`, { method: "POST" })
        expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "GET"])
      }),
    )

    it.effect(
      "answers HEAD as GET, without the body",
      withUrl(async (url) => {
        for (const path of ["/get", "/bytes/1000", "/sse"]) {
          const response = await fetch(`${url}${path}`, { method: "HEAD" })
          expect([response.status, await response.text()]).toEqual([200, ""])
        }
      }),
    )

    it.effect(
      "outlives whatever it is sent",
      withUrl(async (url) => {
        const { port } = new URL(url)
        const handshake = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        const requests = [
          "\r\n\r\n\0\xff",
          "GET http://x/get HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
          "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
          "GET /?%zz&=&& HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
          `GET /get HTTP/1.1\r\nHost: x\r\n${handshake}\r\n`,
          `GET /get?close=1005 HTTP/1.1\r\nHost: x\r\n${handshake}\r\n`,
          "GET /get HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
          "POST /post HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        ]
        for (const bytes of requests) {
          const socket = connect(Number(port), "127.0.0.1")
          socket.end(bytes, "latin1")
          const [answer] = await once(socket, "data")
          expect(String(answer)).toMatch(/^HTTP\/1\.1 (200|400|404)/)
          socket.destroy()
        }
        const cut = connect(Number(port), "127.0.0.1")
        cut.write("POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\npart", () => cut.resetAndDestroy())
        await once(cut, "close")
        expect((await fetch(`${url}/get`)).status).toBe(200)
      }),
    )
  })

  describe("server-sent events", () => {
    it.effect(
      "sends numbered events, and goes on after the last one a client has seen",
      withUrl(async (url) => {
        const events = await (await fetch(`${url}/sse?count=3&interval=0`)).text()
        expect(events.match(/^id: .*$/gm)).toEqual(["id: 1", "id: 2", "id: 3"])
        const rest = await fetch(`${url}/sse?count=3&interval=0`, { headers: { "last-event-id": "2" } })
        expect((await rest.text()).match(/^id: .*$/gm)).toEqual(["id: 3"])
        expect((await fetch(`${url}/sse?count=3`, { headers: { "last-event-id": "3" } })).status).toBe(204)
      }),
    )

    it.effect(
      "sends an event when it happens, not with the next",
      withUrl(async (url) => {
        const response = await rawRequest(`${url}/sse?count=2&interval=60000`, ["Host", "x"])
        response.once("error", () => {})
        await new Promise<void>((resolve) => {
          let text = ""
          response.on("data", (chunk) => {
            text += String(chunk)
            if (text.includes("id: 1")) resolve()
          })
        })
        response.destroy()
      }),
    )

    it.effect(
      "lets an EventSource that was cut off go on where it was, to the end",
      withUrl(async (url) => {
        const source = new EventSource(`${url}/sse?count=5&interval=0&drop=3`)
        const ids: Array<string> = []
        let opened = 0
        source.addEventListener("open", () => opened++)
        source.addEventListener("message", ({ lastEventId }) => ids.push(lastEventId))
        await new Promise<void>((resolve) => {
          source.addEventListener("error", () => source.readyState === EventSource.CLOSED && resolve())
        })
        expect(ids).toEqual(["1", "2", "3", "4", "5"])
        expect(opened).toBe(2)
      }),
    )
  })

  describe("chat completions", () => {
    it.effect(
      "lists its model to the official client",
      withUrl(async (url) => {
        expect((await clientOf(url).models.list()).data.map(({ id }) => id)).toEqual(["demo-echo"])
      }),
    )

    it.effect(
      "echoes the last message of the user, whole",
      withUrl(async (url) => {
        const answer = await clientOf(url).chat.completions.create({
          model: "any-model",
          messages: [
            { role: "system", content: "Be brief." },
            { role: "user", content: [{ type: "text", text: "to be  or not" }] },
            { role: "assistant", content: null },
          ],
        })
        expect(answer.model).toBe("any-model")
        expect(answer.choices[0]).toMatchObject({
          finish_reason: "stop",
          message: { role: "assistant", content: "to be  or not" },
        })
        expect(answer.usage).toEqual({ prompt_tokens: 6, completion_tokens: 4, total_tokens: 10 })
      }),
    )

    it.effect(
      "streams it word by word: role, words, reason, usage",
      withUrl(async (url) => {
        const stream = await clientOf(url).chat.completions.create({
          model: "any-model",
          messages: [{ role: "user", content: "one two three" }],
          stream: true,
          stream_options: { include_usage: true },
        })
        const parts: Array<OpenAI.ChatCompletionChunk> = []
        for await (const part of stream) parts.push(part)
        expect(parts.map(({ choices }) => choices[0]?.delta)).toEqual([
          { role: "assistant", content: "" },
          { content: "one " },
          { content: "two " },
          { content: "three" },
          {},
          undefined,
        ])
        expect(parts.map(({ choices }) => choices[0]?.finish_reason ?? null)).toEqual(
          Array.of(null, null, null, null, "stop", null),
        )
        expect(parts.at(-1)?.usage).toEqual({ prompt_tokens: 3, completion_tokens: 3, total_tokens: 6 })
        expect(new Set(parts.map(({ id }) => id)).size).toBe(1)
      }),
    )

    it.effect(
      "ends a stream with [DONE], and sends no usage unless asked",
      withUrl(async (url) => {
        const body = JSON.stringify({ ...saying("hi"), stream: true, stream_options: null })
        const response = await fetch(`${url}/v1/chat/completions`, { method: "POST", body })
        const text = await response.text()
        expect(response.headers.get("content-type")).toContain("text/event-stream")
        expect(text).toMatch(/\n\ndata: \[DONE\]\n\n$/)
        expect(text).not.toContain("usage")
      }),
    )

    it.effect(
      "refuses in the shape that the official client understands",
      withUrl(async (url) => {
        const refused = await clientOf(url)
          .chat.completions.create({ model: "x", messages: [] })
          .catch((error: unknown) => error)
        expect(refused).toBeInstanceOf(BadRequestError)
        expect(refused).toMatchObject({ type: "invalid_request_error" })
        const valid = JSON.stringify(saying("hi"))
        for (const [body, query] of [
          ["{", ""],
          ["", ""],
          ["[]", ""],
          ['{"messages":"hi"}', ""],
          [" ".repeat(1_000_000), ""],
          [valid, "?interval=60001"],
          [valid, "?interval=soon"],
        ] as const) {
          const response = await fetch(`${url}/v1/chat/completions${query}`, { method: "POST", body })
          expect([response.status, await response.json()]).toMatchObject([
            400,
            { error: { type: "invalid_request_error" } },
          ])
        }
      }),
    )

    it.effect(
      "answers a message of nothing but space at once",
      withUrl(async (url) => {
        const body = JSON.stringify(saying(" ".repeat(2_000_000)))
        const answer = await json(`${url}/v1/chat/completions`, { method: "POST", body })
        expect(answer).toMatchObject({ choices: [{ message: { content: "You said nothing." } }] })
      }),
    )
  })

  describe("WebSocket echo", () => {
    const open = async (url: string, protocols: Array<string> = []) => {
      const socket = new WebSocket(url.replace("http", "ws"), protocols)
      await once(socket, "open")
      return socket
    }

    it.effect(
      "sends text back as text and binary as binary, compressed, on any path",
      withUrl(async (url) => {
        const socket = await open(`${url}/any/path?x=1`)
        expect(socket.extensions).toContain("permessage-deflate")
        for (const sent of ["hällo", "", "x".repeat(100_000)]) {
          socket.send(sent)
          const [data, binary] = await once(socket, "message")
          expect([String(data), binary]).toEqual([sent, false])
        }
        socket.send(Buffer.from([0, 255]))
        expect(await once(socket, "message")).toEqual([Buffer.from([0, 255]), true])
        socket.terminate()
      }),
    )

    it.effect(
      "chooses the first subprotocol",
      withUrl(async (url) => {
        const socket = await open(url, ["chat.v2", "chat.v1"])
        expect(socket.protocol).toBe("chat.v2")
        socket.terminate()
      }),
    )

    it.effect(
      "closes with the code asked for, and refuses one that may not be sent",
      withUrl(async (url) => {
        const socket = new WebSocket(`${url.replace("http", "ws")}/?close=4321&reason=because`)
        const [code, reason] = await once(socket, "close")
        expect([code, String(reason)]).toEqual([4321, "because"])
        for (const bad of ["close=1006", "close=1", "close=x", `close=1000&reason=${"x".repeat(124)}`]) {
          const refused = new WebSocket(`${url.replace("http", "ws")}/?${bad}`)
          const [error] = await once(refused, "error")
          expect(String(error)).toContain("400")
        }
      }),
    )

    it.effect(
      "sends everything back to a client that reads late",
      withUrl(async (url) => {
        const socket = await open(url)
        socket.pause()
        const piece = Buffer.alloc(100_000)
        for (let count = 0; count < 100; count++) socket.send(piece, { compress: false })
        socket.resume()
        for (let count = 0; count < 100; count++) expect((await once(socket, "message"))[0]).toHaveLength(100_000)
        socket.terminate()
      }),
    )
  })
})

describe("DemoDownstream's end", () => {
  it("cuts every connection at once and frees the port", async () => {
    const scope = await Effect.runPromise(Scope.make())
    const context = await Effect.runPromise(Layer.buildWithScope(DemoDownstream.layer, scope))
    const { url } = await Effect.runPromise(Effect.provide(DemoDownstream, context))
    const socket = new WebSocket(url.replace("http", "ws"))
    await once(socket, "open")
    const response = await rawRequest(`${url}/sse?interval=60000`, ["Host", "x"])
    const waiting = rawRequest(`${url}/delay/60`, ["Host", "x"]).then(
      () => "answered",
      () => "cut",
    )
    const ends = Promise.all([once(socket, "close"), once(response, "error"), waiting])
    const start = performance.now()
    await Effect.runPromise(Scope.close(scope, Exit.void))
    const [[code], , delayed] = await ends
    expect([code, delayed]).toEqual([1006, "cut"])
    expect(performance.now() - start).toBeLessThan(1000)
    await expect(fetch(url)).rejects.toThrow()
  })
})
