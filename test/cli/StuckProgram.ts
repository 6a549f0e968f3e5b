// A program that is told to stop and cannot: what of it never ends is its first argument, and its grace the second.
import { Effect, Layer } from "effect"
import { defaultSettings, ProxyConfig } from "../../src/domain/ProxyConfig.js"
import { ProxyServer } from "../../src/server/ProxyServer.js"
import { Traffic } from "../../src/traffic/Traffic.js"
import { openLog } from "../../src/cli/Log.js"
import { endTime } from "../../src/cli/run/LastResort.js"
import { stopAtSignal } from "../../src/cli/run/Stop.js"
import { stopSignals } from "../../src/cli/StopSignal.js"

const [, , stuck = "", grace = "0"] = process.argv
const never = Effect.uninterruptible(Effect.never)

/** Stands for whatever holds a process: a socket that nobody closes. */
setInterval(() => {}, 1_000)

const server = Layer.scoped(
  ProxyServer,
  Effect.as(
    Effect.addFinalizer(() => (stuck === "finalizer" ? never : Effect.void)),
    {
      address: { host: "127.0.0.1", port: 0 },
      drain: stuck === "drain" ? never : Effect.void,
      retire: Effect.void,
      cut: stuck === "drain" ? never : Effect.void,
    },
  ),
)

const program = Effect.scoped(
  Effect.gen(function* () {
    const services = yield* Layer.build(
      Layer.merge(server, Layer.provide(Traffic.layer, ProxyConfig.layerOf(defaultSettings))),
    )
    const signals = yield* stopSignals
    yield* Effect.logInfo("ready")
    yield* Effect.provide(stopAtSignal(signals, Number(grace), endTime), services)
  }),
)

void Effect.runPromise(
  Effect.scoped(
    Effect.flatMap(openLog({ level: "info", format: "pretty" }), ({ layer }) => Effect.provide(program, layer)),
  ),
)
