import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, LogLevel, Supervisor } from "effect"
import { LineLog } from "../../src/log/LineLog.js"
import { request } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"

/** Counts the fibers that are started under it. */
class StartedFibers extends Supervisor.AbstractSupervisor<number> {
  count = 0
  override readonly value = Effect.sync(() => this.count)

  override onStart(): void {
    this.count++
  }
}

const many = 200

describe("the log of exchanges", () => {
  for (const [what, path, accessLog] of [
    ["refused, which is not logged", "/nobody/x", false],
    ["refused, with a line in the access log", "/nobody/x", true],
    ["refused by its session's server, with a warning", "/dead/x", false],
    ["answered, with a line in the access log", "/app/x", true],
  ] as const) {
    it.scopedLive(`starts no fiber for a request that is ${what}`, () =>
      Effect.gen(function* () {
        const started = new StartedFibers()
        const { proxy } = yield* Effect.supervised(startLab({ settings: { accessLog } }), started)
        yield* proxy.repo.add({ id: "dead", url: "http://127.0.0.1:1", status: "active" })
        const client = yield* proxy.connect
        const ask = client.ask(request(`GET ${path}`))
        yield* ask
        const before = started.count
        for (let times = 0; times < many; times++) yield* ask
        // Who looks after live traffic has some, now and then.
        assert.isBelow(started.count - before, many / 2)
        assert.strictEqual(proxy.log.length > 0, accessLog || path === "/dead/x")
      }),
    )
  }
})

describe("LineLog", () => {
  const written = (minimum: LogLevel.LogLevel, levels: ReadonlyArray<LogLevel.LogLevel>) =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.map(Logger.logfmtLogger, (line) => void lines.push(line.replace(/^.*?(?=level)/, "")))
      const layer = Layer.merge(Logger.replace(Logger.defaultLogger, logger), Logger.minimumLogLevel(minimum))
      const log = yield* Effect.annotateLogs(LineLog.make, "place", "here").pipe(Effect.provide(layer))
      for (const level of levels) log.write(level, "a line", { count: 1 })
      return { lines, has: levels.filter((level) => log.has(level)) }
    })

  it.effect("writes lines with annotations to the loggers of whoever builds it", () =>
    Effect.gen(function* () {
      const { lines } = yield* written(LogLevel.Info, [LogLevel.Warning])
      assert.deepStrictEqual(lines, [`level=WARN fiber= message="a line" count=1 place=here`])
    }),
  )

  it.effect("leaves out what is below the level of the log", () =>
    Effect.gen(function* () {
      const levels = [LogLevel.Debug, LogLevel.Info, LogLevel.Warning]
      const { lines, has } = yield* written(LogLevel.Warning, levels)
      assert.deepStrictEqual(has, [LogLevel.Warning])
      assert.strictEqual(lines.length, 1)
      assert.deepStrictEqual((yield* written(LogLevel.None, levels)).lines, [])
    }),
  )
})
