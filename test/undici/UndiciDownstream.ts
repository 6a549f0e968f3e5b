import { Effect, Layer } from "effect"
import { ProxyConfig } from "../../src/domain/ProxyConfig.js"
import { makeCallContext } from "../../src/downstream/ConnectionDownstream.js"
import { Deadlines } from "../../src/clock/Deadlines.js"
import { makeDialer } from "../../src/downstream/Dial.js"
import { Downstream } from "../../src/downstream/Downstream.js"
import { EndOfTurn } from "../../src/clock/EndOfTurn.js"
import { Telemetry } from "../../src/telemetry/Telemetry.js"
import { UndiciCall, type UndiciContext } from "./UndiciCall.js"
import { UndiciPools } from "./UndiciPools.js"
import { UpgradeCall } from "../../src/downstream/UpgradeCall.js"

/**
 * `Downstream` on undici's client: a second opinion to hold ours against. Handshakes are ours, since
 * undici hands no refusal of one over. On the wire, requests differ from those of our own connections in this:
 *
 * - `host` and `content-length` are spelled so, stand first and last, and `connection: keep-alive` is added; whether a
 *   request without content has a `Content-Length` depends on its method alone.
 * - Request trailers are lost.
 * - The head of a request with content in motion is held until its first chunk is there. So `Expect` is not passed on:
 *   the client is told to continue as soon as there is a connection.
 * - `maxDownstreamConnections` and its like are not kept.
 * - A server that sends `100` has broken the protocol, by undici's reading. On the other hand undici understands what
 *   our parser refuses: an empty line before the head, HTTP/2.0 and other versions in the status line.
 */
export const layerUndici: Layer.Layer<Downstream, never, ProxyConfig> = Layer.scoped(
  Downstream,
  Effect.gen(function* () {
    const settings = yield* ProxyConfig
    const dialer = yield* makeDialer
    const handshakes = yield* makeCallContext(dialer)
    const counters = yield* Telemetry
    const pools = new UndiciPools(dialer, settings)
    const headDeadlines = new Deadlines(settings.timeout)
    const context: UndiciContext = {
      pools,
      headDeadlines,
      timeout: settings.timeout,
      endOfTurn: new EndOfTurn(),
      countRetry: () => counters.requestRetried(),
    }
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        pools.close()
        headDeadlines.clear()
      }),
    )
    return {
      request: (session, head, body, observer) => new UndiciCall(context, session, head, body, observer),
      upgrade: (session, head) => new UpgradeCall(handshakes, session, head),
    }
  }),
)
