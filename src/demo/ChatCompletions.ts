import { Clock, Effect, ParseResult, Schema, Stream } from "effect"
import { randomUUID } from "node:crypto"
import { eventAnswer, jsonAnswer } from "./DemoAnswer.js"
import type { DemoAnswer } from "./DemoAnswer.js"
import { DemoRefusal, numberIn, wholeBody } from "./DemoRequest.js"
import type { DemoRequest } from "./DemoRequest.js"

const modelName = "demo-echo"
/** Milliseconds before each word, where the query names no other `interval`: slow enough to be seen. */
const wordInterval = 150

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optional(Schema.NullOr(schema))

const Message = Schema.Struct({
  role: Schema.String,
  content: optional(
    Schema.Union(Schema.String, Schema.Array(Schema.Struct({ type: Schema.String, text: optional(Schema.String) }))),
  ),
})
type Message = typeof Message.Type

/** The members of OpenAI's request that are used here; others are ignored. */
const ChatRequest = Schema.Struct({
  model: optional(Schema.String),
  messages: Schema.NonEmptyArray(Message),
  stream: optional(Schema.Boolean),
  stream_options: optional(Schema.Struct({ include_usage: optional(Schema.Boolean) })),
})
type ChatRequest = typeof ChatRequest.Type

const decodeChat = Schema.decodeUnknown(Schema.parseJson(ChatRequest))

const textOf = ({ content }: Message): string => {
  if (typeof content === "string") return content
  return (content ?? []).map((part) => part.text ?? "").join("")
}

/** Splits a text into words, each with the space after it. A word counts as a token. */
const wordsOf = (text: string): ReadonlyArray<string> => {
  const trimmed = text.trim()
  return trimmed === "" ? [] : trimmed.split(/(?<=\s)(?=\S)/)
}

const replyTo = (messages: ReadonlyArray<Message>): ReadonlyArray<string> => {
  const asked = messages.findLast(({ role }) => role === "user")
  const words = wordsOf(asked === undefined ? "" : textOf(asked))
  return words.length > 0 ? words : wordsOf("You said nothing.")
}

const usageOf = (messages: ReadonlyArray<Message>, reply: ReadonlyArray<string>) => {
  const prompt = messages.reduce((sum, message) => sum + wordsOf(textOf(message)).length, 0)
  return { prompt_tokens: prompt, completion_tokens: reply.length, total_tokens: prompt + reply.length }
}

/** Members that all parts of one completion share. */
interface Completion {
  readonly id: string
  readonly created: number
  readonly model: string
}

const wholeCompletion = (completion: Completion, { messages }: ChatRequest): DemoAnswer => {
  const reply = replyTo(messages)
  const message = { role: "assistant", content: reply.join(""), refusal: null }
  return jsonAnswer({
    ...completion,
    object: "chat.completion",
    choices: [{ index: 0, message, logprobs: null, finish_reason: "stop" }],
    usage: usageOf(messages, reply),
  })
}

const event = (data: string) => `data: ${data}\n\n`

/**
 * Events: the role, each word after `interval` milliseconds, the finish reason, the usage if requested, and `[DONE]`.
 */
const streamedCompletion = (
  completion: Completion,
  { messages, stream_options }: ChatRequest,
  interval: number,
): DemoAnswer => {
  const reply = replyTo(messages)
  const withUsage = stream_options?.include_usage === true
  const part = (choices: ReadonlyArray<object>, usage: object | null) =>
    event(JSON.stringify({ ...completion, object: "chat.completion.chunk", choices, ...(withUsage ? { usage } : {}) }))
  const delta = (delta: object, finish_reason: "stop" | null = null) =>
    part([{ index: 0, delta, logprobs: null, finish_reason }], null)
  const words = Stream.fromIterable(reply).pipe(
    Stream.tap(() => Effect.sleep(interval)),
    Stream.map((content) => delta({ content })),
  )
  const ending = [delta({}, "stop"), ...(withUsage ? [part([], usageOf(messages, reply))] : []), event("[DONE]")]
  return eventAnswer(
    Stream.make(delta({ role: "assistant", content: "" })).pipe(
      Stream.concat(words),
      Stream.concat(Stream.fromIterable(ending)),
    ),
  )
}

/** An error in the format of OpenAI's API. */
const invalidRequest = (message: string, status = 400): DemoAnswer =>
  jsonAnswer({ error: { message, type: "invalid_request_error", param: null, code: null } }, status)

/** `POST /v1/chat/completions`: a model that echoes the last message of the user. */
export const chatCompletions = (request: DemoRequest): Effect.Effect<DemoAnswer> =>
  Effect.gen(function* () {
    const body = yield* wholeBody(request)
    const chat = yield* decodeChat(body.toString("utf8"))
    const interval = yield* numberIn(request.query.get("interval"), {
      name: "interval",
      min: 0,
      max: 60_000,
      fallback: wordInterval,
    })
    const now = yield* Clock.currentTimeMillis
    const completion = {
      id: `chatcmpl-${randomUUID()}`,
      created: Math.floor(now / 1000),
      model: chat.model ?? modelName,
    }
    return chat.stream === true ? streamedCompletion(completion, chat, interval) : wholeCompletion(completion, chat)
  }).pipe(
    Effect.catchTags({
      DemoRefusal: ({ detail, status }: DemoRefusal) => Effect.succeed(invalidRequest(detail, status)),
      ParseError: (error: ParseResult.ParseError) =>
        Effect.succeed(invalidRequest(ParseResult.TreeFormatter.formatErrorSync(error))),
    }),
  )

/** `GET /v1/models`: the only model. */
export const models = (): Effect.Effect<DemoAnswer> =>
  Effect.succeed(
    jsonAnswer({ object: "list", data: [{ id: modelName, object: "model", created: 0, owned_by: "ss-proxy" }] }),
  )
