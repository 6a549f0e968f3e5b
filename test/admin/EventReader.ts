import { Effect, type Scope } from "effect"
import { bareRequest } from "../support/HttpText.js"
import type { NotSeen } from "../support/Changes.js"
import { RawClient } from "../support/RawClient.js"

/** An event as it came. */
export interface ReceivedEvent {
  readonly event: string
  readonly id: string | undefined
  readonly data: unknown
}

/** The field of a name in the text of an event (WHATWG HTML section 9.2.6). */
const field = (text: string, name: string): string | undefined =>
  text
    .split("\n")
    .find((line) => line.startsWith(`${name}: `))
    ?.slice(name.length + 2)

/** What has come of a stream in chunked coding, without that. */
const unchunked = (body: string): string => body.replaceAll(/(?:^|\r\n)[0-9a-f]+\r\n/g, "")

const eventsIn = (received: string): ReadonlyArray<ReceivedEvent> => {
  const text = unchunked(received.slice(received.indexOf("\r\n\r\n") + 4))
  return text.split("\n\n").flatMap((block) => {
    const [event, data] = [field(block, "event"), field(block, "data")]
    if (event === undefined || data === undefined || !text.includes(`${block}\n\n`)) return []
    return [{ event, id: field(block, "id"), data: JSON.parse(Buffer.from(data, "latin1").toString("utf8")) }]
  })
}

/** Reads a stream of events on an admin socket. */
export class EventReader {
  private constructor(readonly client: RawClient) {}

  static open(
    socket: string,
    target: string,
    fields: ReadonlyArray<string> = [],
  ): Effect.Effect<EventReader, never, Scope.Scope> {
    return Effect.gen(function* () {
      const client = yield* RawClient.connectToPath(socket)
      yield* client.send(bareRequest(`GET ${target}`, ["Host: admin", ...fields]))
      return new EventReader(client)
    })
  }

  /** All that has come so far. */
  get events(): ReadonlyArray<ReceivedEvent> {
    return eventsIn(this.client.unread)
  }

  named(event: string): ReadonlyArray<ReceivedEvent> {
    return this.events.filter((one) => one.event === event)
  }

  /** Waits until what has come says so. */
  until(what: string, holds: (reader: EventReader) => boolean): Effect.Effect<void, NotSeen> {
    return this.client.shows(what, () => holds(this))
  }
}
