import { request as httpRequest, type ClientRequest, type IncomingMessage } from "node:http"
import { Effect, Option, Schema, type Scope, Stream } from "effect"
import { EventReader, type ServerEvent } from "../../wire/EventReader.js"
import type { CommandFailed } from "../Failure.js"
import { addressOf, type AdminPlace, askedInVain, baseOf, tokenFor } from "./AdminPlace.js"

/** Without a byte for so long, in milliseconds, the proxy is gone: it says something every 15 seconds. */
const patience = 40_000

const problemIn = Schema.decodeUnknownOption(Schema.parseJson(Schema.Struct({ detail: Schema.String })))

/** The request for a stream, as it was not answered yet. */
const ask = (place: AdminPlace, path: string, lastId: string): ClientRequest => {
  const token = tokenFor(place)
  const headers = {
    accept: "text/event-stream",
    host: new URL(baseOf(place)).host,
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(lastId !== "" && { "last-event-id": lastId }),
  }
  return httpRequest({ ...addressOf(place), path, headers, timeout: patience, agent: false })
}

/** The answer to it, where that is a stream. The request ends with the scope. */
const answerTo = (place: AdminPlace, path: string, lastId: string) =>
  Effect.gen(function* () {
    const sent = yield* Effect.acquireRelease(
      Effect.sync(() => ask(place, path, lastId)),
      (sent) => Effect.sync(() => sent.destroy()),
    )
    const message = yield* Effect.async<IncomingMessage, CommandFailed>((resume) => {
      sent.once("response", (message) => resume(Effect.succeed(message)))
      sent.on("error", (error) => resume(askedInVain(error.message)))
      sent.on("timeout", () => sent.destroy(new Error(`nothing came for ${patience / 1_000} s`)))
      sent.end()
    })
    message.setEncoding("utf8")
    if (message.statusCode === 200) return message
    const text = yield* Effect.tryPromise({ try: () => textOf(message), catch: (cause) => askedInVain(String(cause)) })
    const detail = Option.match(problemIn(text), {
      onNone: () => `it answered ${message.statusCode}`,
      onSome: ({ detail }) => detail,
    })
    return yield* askedInVain(detail)
  })

const textOf = async (message: AsyncIterable<string>): Promise<string> => {
  let text = ""
  for await (const piece of message) text += piece
  return text
}

/**
 * Asks for a stream of the proxy at this place; `path` with its query. Gives its events once it has begun. These end when the
 * proxy ends them, and fail where the stream breaks off. It is read no faster than it is taken. `lastId`: goes on behind the
 * event of this id.
 */
export const openEvents = (
  place: AdminPlace,
  path: string,
  lastId = "",
): Effect.Effect<Stream.Stream<ServerEvent, CommandFailed>, CommandFailed, Scope.Scope> =>
  Effect.map(answerTo(place, path, lastId), (message) => {
    const reader = new EventReader()
    const pieces: AsyncIterable<string> = message
    const broken = (cause: unknown): CommandFailed =>
      askedInVain(cause instanceof Error ? cause.message : String(cause))
    return Stream.fromAsyncIterable(pieces, broken).pipe(
      Stream.mapEffect((piece) => {
        const events = reader.take(piece)
        return reader.isOverfull ? askedInVain("an event has no end") : Effect.succeed(events)
      }),
      Stream.mapConcat((events) => events),
    )
  })
