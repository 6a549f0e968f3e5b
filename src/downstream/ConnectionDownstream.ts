import { Effect, Layer, type Scope } from "effect"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import { DeadlineRounds } from "../clock/DeadlineRounds.js"
import { type Dialer, makeDialer } from "./Dial.js"
import { Downstream } from "./Downstream.js"
import { EndOfTurn } from "../clock/EndOfTurn.js"
import { type CallContext, HttpCall, SingleCall } from "./HttpCall.js"
import { Pools } from "./Pool.js"
import { UpgradeCall } from "./UpgradeCall.js"
import { catalogue } from "../telemetry/Catalogue.js"
import { cellOf } from "../telemetry/Cells.js"
import { Telemetry } from "../telemetry/Telemetry.js"

/** What calls on connections of our own share; idle connections are closed with the scope. */
export const makeCallContext = (dialer: Dialer): Effect.Effect<CallContext, never, ProxyConfig | Scope.Scope> =>
  Effect.gen(function* () {
    const settings = yield* ProxyConfig
    const counters = yield* Telemetry
    const pools = new Pools(dialer, settings, counters)
    const headRounds = new DeadlineRounds()
    const headDeadlines = headRounds.of(settings.timeout)
    const forget = counters.readAlso({
      fill: (cells) => {
        cells.set(cellOf(catalogue.serverConnections, "idle"), pools.idleConnections)
        cells.set(catalogue.queueWaiting.offset, pools.waiting)
        cells.set(catalogue.held.offset, pools.held)
      },
    })
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        forget()
        pools.close()
        headDeadlines.clear()
        headRounds.clear()
      }),
    )
    return { pools, headDeadlines, headRounds, endOfTurn: new EndOfTurn(), lenient: settings.lenient, counters }
  })

/** `Downstream` on connections of our own: an HTTP/1.1 client made for proxying. */
export const layerConnections: Layer.Layer<Downstream, never, ProxyConfig> = Layer.scoped(
  Downstream,
  Effect.map(Effect.flatMap(makeDialer, makeCallContext), (context) => ({
    request: (session, head, body, observer) => new HttpCall(context, session, head, body, observer),
    requestOnce: (session, head, body) => new SingleCall(context, session, head, body),
    upgrade: (session, head, observer) => new UpgradeCall(context, session, head, observer),
  })),
)
