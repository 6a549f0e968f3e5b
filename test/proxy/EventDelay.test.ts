import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { ServerResponse } from "node:http"
import { HttpOrigin } from "../support/HttpOrigin.js"
import { request } from "../support/HttpText.js"
import { RawClient } from "../support/RawClient.js"
import { startProxy } from "../support/TestProxy.js"

/** How much later an event may be with a client behind the proxy than with one that has no proxy, in milliseconds. */
const bound = 5
const events = 300

const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

describe("a server-sent event", () => {
  it.scopedLive(`is with the client at most ${bound} ms later than without the proxy, in the median of ${events}`, () =>
    Effect.gen(function* () {
      const origin = yield* HttpOrigin.start((_, response) => {
        response.writeHead(200, { "Content-Type": "text/event-stream" })
        response.flushHeaders()
      })
      const proxy = yield* startProxy({ sessions: { app: origin.url } })
      /** A client that is subscribed, and the server's end of its stream. */
      const subscribe = (port: number, target: string, index: number) =>
        Effect.gen(function* () {
          const client = yield* RawClient.connect(port)
          yield* client.send(request(`GET ${target}`))
          const { response } = yield* origin.exchange(index)
          yield* client.head
          return { client, response }
        })
      const direct = yield* subscribe(origin.port, "/events", 0)
      const proxied = yield* subscribe(proxy.port, "/app/events", 1)

      /** Milliseconds from the server's write until the whole event is there. */
      const delay = ({ client, response }: { client: RawClient; response: ServerResponse }, event: string) =>
        Effect.gen(function* () {
          const writtenAt = performance.now()
          response.write(event)
          yield* client.seen(event)
          return performance.now() - writtenAt
        })

      // In turn, so that whatever else the machine does falls on both; each event finds an idle stream.
      const delays = { direct: new Array<number>(), proxied: new Array<number>() }
      for (let index = 0; index < events; index++) {
        const event = `id: ${index}\ndata: event number ${index}, and a word or two more\n\n`
        yield* Effect.sleep(1)
        delays.direct.push(yield* delay(direct, event))
        yield* Effect.sleep(1)
        delays.proxied.push(yield* delay(proxied, event))
      }
      const without = median(delays.direct)
      const added = median(delays.proxied.map((delay, index) => delay - (delays.direct[index] ?? 0)))
      console.info(`an event took ${without.toFixed(2)} ms, and ${added.toFixed(2)} ms more behind the proxy (medians)`)
      assert.isAtMost(added, bound)
      for (const { client } of [direct, proxied]) yield* client.reset
    }),
  )
})
