import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Effect, Option, type Scope, Stream } from "effect"
import { Access } from "../access/Access.js"
import { eventText } from "../fleet/EventText.js"

// Server-sent events (WHATWG HTML section 9.2).

/** After so long without an event, in milliseconds, a comment says that the connection is alive. */
const commentAfter = 15_000

const comment = ": still here\n\n"
const bye = eventText("bye", "{}")

/** How long a client is to wait before it connects again, in milliseconds. */
const opening = "retry: 2000\n\n"

/**
 * An answer that goes on until its reader leaves, or the listener ends. `begin` makes what waits for the next that is to be
 * said; what it holds for that is released at the end. It is asked again when the reader has taken what came before, and may be
 * interrupted while it waits. What a slow reader misses meanwhile is for it to decide.
 */
export const serverEvents = (
  begin: Effect.Effect<Effect.Effect<string>, never, Scope.Scope>,
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, Access> =>
  Effect.map(Access, ({ ended }) => {
    const pieces = (next: Effect.Effect<string>) => {
      const inTime = Effect.map(
        Effect.timeoutOption(next, commentAfter),
        Option.getOrElse(() => comment),
      )
      const piece = Effect.raceFirst(inTime, Effect.as(ended, bye))
      return Stream.takeUntil(Stream.repeatEffect(piece), (text) => text === bye)
    }
    const all = Stream.concat(Stream.make(opening), Stream.unwrapScoped(Effect.map(begin, pieces)))
    return HttpServerResponse.stream(Stream.encodeText(all), {
      contentType: "text/event-stream",
      // Behind its end nothing is asked on this connection any more, so that the listener can end.
      headers: { "x-accel-buffering": "no", connection: "close" },
    })
  })
