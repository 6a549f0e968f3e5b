import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import OpenAI, {
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  RateLimitError,
} from "openai"
import { DemoDownstream } from "../../src/demo/DemoDownstream.js"
import { HttpOrigin } from "../support/HttpOrigin.js"
import { startProxy, type TestProxy } from "../support/TestProxy.js"

const clientOf = (proxy: TestProxy, session = "llm") =>
  new OpenAI({ baseURL: `${proxy.url}/${session}/v1`, apiKey: "sk-test", maxRetries: 0 })

/** The demo server behind a proxy. */
const demo = Effect.gen(function* () {
  const { url } = Context.get(yield* Layer.build(DemoDownstream.layer), DemoDownstream)
  const proxy = yield* startProxy({ sessions: { llm: url, stopped: { url, status: "stopped" } } })
  return { proxy, openai: clientOf(proxy) }
})

/** A model behind a proxy that says what the test says, when the test says so. */
const directed = Effect.gen(function* () {
  const origin = yield* HttpOrigin.start()
  const proxy = yield* startProxy({ sessions: { llm: origin.url } })
  return { origin, proxy, openai: clientOf(proxy) }
})

/** A model that answers every request the same way. */
const answering = (status: number, body: object) =>
  Effect.gen(function* () {
    const origin = yield* HttpOrigin.start((_: IncomingMessage, response: ServerResponse) => {
      response.writeHead(status, { "Content-Type": "application/json", "x-request-id": "req_of_the_model" })
      response.end(JSON.stringify(body))
    })
    return clientOf(yield* startProxy({ sessions: { llm: origin.url } }))
  })

const question = {
  model: "demo-echo",
  messages: [{ role: "user" as const, content: "Say these five words back" }],
}

/** What a call that has to fail was rejected with. */
const rejection = (call: () => Promise<unknown>) =>
  Effect.promise(() =>
    call().then(
      () => Promise.reject(new Error("the call did not fail")),
      (error: unknown) => error,
    ),
  )

const eventOf = (content: string) =>
  `data: ${JSON.stringify({ id: "1", object: "chat.completion.chunk", choices: [{ index: 0, delta: { content } }] })}\n\n`

describe("the openai client, through a session", () => {
  it.scopedLive("gets a whole completion, with its usage", () =>
    Effect.gen(function* () {
      const { openai } = yield* demo
      const completion = yield* Effect.promise(() => openai.chat.completions.create(question))
      assert.strictEqual(completion.choices[0]?.message.content, "Say these five words back")
      assert.deepStrictEqual(completion.usage, { prompt_tokens: 5, completion_tokens: 5, total_tokens: 10 })
    }),
  )

  it.scopedLive("lists the models", () =>
    Effect.gen(function* () {
      const { openai } = yield* demo
      const models = yield* Effect.promise(() => openai.models.list())
      assert.deepStrictEqual(
        models.data.map(({ id }) => id),
        ["demo-echo"],
      )
    }),
  )

  it.scopedLive("gets a streamed completion word by word, with its usage at the end", () =>
    Effect.gen(function* () {
      const { openai } = yield* demo
      const options = { ...question, stream: true as const, stream_options: { include_usage: true } }
      const chunks = yield* Effect.promise(async () => {
        const all: Array<OpenAI.ChatCompletionChunk> = []
        for await (const chunk of await openai.chat.completions.create(options)) all.push(chunk)
        return all
      })
      const words = chunks.flatMap(({ choices }) => choices.map(({ delta }) => delta.content ?? ""))
      assert.deepStrictEqual(words.filter(Boolean), ["Say ", "these ", "five ", "words ", "back"])
      assert.deepStrictEqual(chunks.at(-1)?.usage, { prompt_tokens: 5, completion_tokens: 5, total_tokens: 10 })
    }),
  )

  it.scopedLive("has each chunk before the model writes the next", () =>
    Effect.gen(function* () {
      const { origin, openai } = yield* directed
      const call = openai.chat.completions.create({ ...question, stream: true })
      const { request, response, text } = yield* origin.exchange()
      const asked: unknown = JSON.parse(yield* text)
      assert.deepStrictEqual(asked, { ...question, stream: true })
      assert.strictEqual(request.url, "/v1/chat/completions")
      assert.strictEqual(request.headers.authorization, "Bearer sk-test")
      response.writeHead(200, { "Content-Type": "text/event-stream" })
      response.flushHeaders()
      const stream = yield* Effect.promise(() => call)
      const reader = stream[Symbol.asyncIterator]()
      for (const word of ["one", "two", "three"]) {
        response.write(eventOf(word))
        const next = yield* Effect.promise(() => reader.next())
        assert.strictEqual(next.value?.choices[0]?.delta.content, word)
      }
      response.end("data: [DONE]\n\n")
      assert.isTrue((yield* Effect.promise(() => reader.next())).done)
    }),
  )

  it.scopedLive("has an event whose bytes come in pieces, split within a character", () =>
    Effect.gen(function* () {
      const { origin, openai } = yield* directed
      const call = openai.chat.completions.create({ ...question, stream: true })
      const { response } = yield* origin.exchange()
      response.writeHead(200, { "Content-Type": "text/event-stream" })
      const bytes = Buffer.from(eventOf("grüße 🚀"))
      for (const byte of bytes) response.write(Buffer.of(byte))
      const stream = yield* Effect.promise(() => call)
      const first = yield* Effect.promise(() => stream[Symbol.asyncIterator]().next())
      assert.strictEqual(first.value?.choices[0]?.delta.content, "grüße 🚀")
      response.end()
    }),
  )

  it.scopedLive("stops the model when it aborts a stream", () =>
    Effect.gen(function* () {
      const { origin, openai, proxy } = yield* directed
      const call = openai.chat.completions.create({ ...question, stream: true })
      const exchange = yield* origin.exchange()
      exchange.response.writeHead(200, { "Content-Type": "text/event-stream" })
      exchange.response.write(eventOf("begun"))
      const stream = yield* Effect.promise(() => call)
      const reader = stream[Symbol.asyncIterator]()
      yield* Effect.promise(() => reader.next())
      assert.isFalse(exchange.abandoned)
      stream.controller.abort()
      yield* exchange.left
      yield* proxy.quiet
    }),
  )

  it.scopedLive("stops the model when it aborts a call that has no answer yet", () =>
    Effect.gen(function* () {
      const { origin, openai, proxy } = yield* directed
      const abort = new AbortController()
      const call = openai.chat.completions.create(question, { signal: abort.signal })
      const exchange = yield* origin.exchange()
      const failed = yield* Effect.fork(rejection(() => call))
      yield* Effect.yieldNow()
      abort.abort()
      yield* exchange.left
      assert.match(String(yield* Fiber.join(failed)), /abort/i)
      yield* proxy.quiet
    }),
  )

  it.scopedLive("throws the error that the model's server answered", () =>
    Effect.gen(function* () {
      const { openai } = yield* demo
      const error = yield* rejection(() => openai.chat.completions.create({ model: "demo-echo", messages: [] }))
      assert.instanceOf(error, BadRequestError)
      assert.strictEqual(error.type, "invalid_request_error")
    }),
  )

  for (const [status, kind, code] of [
    [401, AuthenticationError, "invalid_api_key"],
    [429, RateLimitError, "rate_limit_exceeded"],
    [500, InternalServerError, "server_error"],
  ] as const)
    it.scopedLive(`throws ${kind.name} for ${status}, with its code, message and request id`, () =>
      Effect.gen(function* () {
        const openai = yield* answering(status, { error: { message: "no", type: "some_error", param: null, code } })
        const error = yield* rejection(() => openai.chat.completions.create(question))
        assert.instanceOf(error, kind)
        assert.deepInclude(error, { status, code, type: "some_error", message: `${status} no` })
        assert.strictEqual(error.requestID, "req_of_the_model")
      }),
    )

  it.scopedLive("understands the proxy's own answers by their status", () =>
    Effect.gen(function* () {
      const { proxy } = yield* demo
      const unknown = yield* rejection(() => clientOf(proxy, "nobody").models.list())
      assert.instanceOf(unknown, NotFoundError)
      assert.isString(unknown.requestID)
      const stopped = yield* rejection(() => clientOf(proxy, "stopped").models.list())
      assert.instanceOf(stopped, InternalServerError)
      assert.strictEqual(stopped.status, 503)
    }),
  )

  it.scopedLive("fails where the model dies within a stream, and does not take it for complete", () =>
    Effect.gen(function* () {
      const { origin, openai } = yield* directed
      const call = openai.chat.completions.create({ ...question, stream: true })
      const { response } = yield* origin.exchange()
      response.writeHead(200, { "Content-Type": "text/event-stream" })
      response.write(eventOf("begun"))
      const stream = yield* Effect.promise(() => call)
      const reader = stream[Symbol.asyncIterator]()
      yield* Effect.promise(() => reader.next())
      response.destroy()
      yield* rejection(() => reader.next())
    }),
  )

  it.scopedLive("uploads a file", () =>
    Effect.gen(function* () {
      const { origin, openai } = yield* directed
      const content = Buffer.alloc(300_000, "line of training data\n")
      const file = new File([content], "training.jsonl")
      const call = openai.files.create({ file, purpose: "fine-tune" })
      const { request, response, text } = yield* origin.exchange()
      assert.match(request.headers["content-type"] ?? "", /^multipart\/form-data; boundary=/)
      const form = yield* text
      assert.include(form, content.toString())
      assert.include(form, 'filename="training.jsonl"')
      response.setHeader("Content-Type", "application/json")
      response.end(JSON.stringify({ id: "file-1", object: "file", bytes: content.length }))
      assert.strictEqual((yield* Effect.promise(() => call)).id, "file-1")
    }),
  )
})
