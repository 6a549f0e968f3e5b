import { describe, expect, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { build } from "esbuild"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { onTestFinished } from "vitest"
import { temporaryFolder as folderOfScope } from "../sessions/temporary.js"
import { ProxyProcess } from "../support/ProxyProcess.js"
import { RawClient } from "../support/RawClient.js"
import { RawOrigin } from "../support/RawOrigin.js"
import { clientText } from "../websocket/Frames.js"
import { agreeing, handshake } from "../websocket/Tunnel.js"
import { temporaryFolder } from "./Program.js"

/** What a busy machine may take longer than the time that is promised. Milliseconds. */
const leeway = 10_000

/** A program of which `stuck` never ends, told to stop: what it said, its exit code, and how long a signal ago. */
const stuckProgram = async (stuck: string, grace: number) => {
  const outfile = join(temporaryFolder(), "stuck.mjs")
  const entry = fileURLToPath(new URL("StuckProgram.ts", import.meta.url))
  await build({ entryPoints: [entry], outfile, bundle: true, platform: "node", format: "esm", logLevel: "error" })
  const child = spawn(process.execPath, [outfile, stuck, String(grace)], { stdio: ["ignore", "inherit", "pipe"] })
  onTestFinished(() => void child.kill("SIGKILL"))
  let said = ""
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text))
  const ended = once(child, "close").then(([code]: ReadonlyArray<unknown>) => code)
  let signalledAt = performance.now()
  const says = async (words: string) => {
    while (!said.includes(words)) await once(child.stderr, "data")
  }
  await says("ready")
  return {
    says,
    signal: (signal: NodeJS.Signals) => {
      signalledAt = performance.now()
      child.kill(signal)
    },
    ended: async () => ({ code: await ended, after: performance.now() - signalledAt, said }),
  }
}

describe("a program that is told to stop, and cannot", () => {
  it("ends within a second where a finalizer never ends, with 0, and says that not all has ended", async () => {
    const program = await stuckProgram("finalizer", 60_000)
    program.signal("SIGTERM")
    const { code, after, said } = await program.ended()
    expect(code).toBe(0)
    expect(after).toBeLessThan(1_000 + leeway)
    expect(said).toMatch(/ERROR not everything stopped in time, .*resources=.*Timeout=.* left=0\n/)
  })

  it("ends within a second of its grace where nothing of it can be cut", async () => {
    const program = await stuckProgram("drain", 300)
    program.signal("SIGTERM")
    const { code, after } = await program.ended()
    expect(code).toBe(0)
    expect(after).toBeGreaterThan(300)
    expect(after).toBeLessThan(1_300 + leeway)
  })

  it("ends within a second of a second signal, however long its grace is", async () => {
    const program = await stuckProgram("drain", 3_000_000_000)
    program.signal("SIGTERM")
    await program.says("stopping")
    program.signal("SIGINT")
    const { code, after } = await program.ended()
    expect(code).toBe(0)
    expect(after).toBeLessThan(1_000 + leeway)
  })
})

/** Makes sockets that cannot be closed. */
const noSocketCloses = `
const { Socket } = require("node:net")
Socket.prototype.destroy = Socket.prototype.resetAndDestroy = function () { return this }
`

/** The built program with a WebSocket that it cannot close. */
const stuckProxy = (grace: number): Effect.Effect<ProxyProcess, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const preload = join(yield* folderOfScope, "no-socket-closes.cjs")
    writeFileSync(preload, noSocketCloses)
    const origin = yield* RawOrigin.start(agreeing())
    const environment = ["env", `NODE_OPTIONS=--require ${preload}`, `SS_PROXY_GRACE=${grace}`]
    const proxy = yield* ProxyProcess.start({ app: origin.url }, environment)
    const client = yield* RawClient.connect(Number(new URL(proxy.url).port))
    yield* client.send(handshake())
    yield* client.head
    yield* client.send(clientText("hello"))
    yield* origin.seen(clientText("hello").toString("latin1"))
    return proxy
  })

describe("ss-proxy run with a WebSocket that nothing can close", () => {
  it.scopedLive("stops within a second of its grace, with 0, and names the WebSocket", () =>
    Effect.gen(function* () {
      const proxy = yield* stuckProxy(0.2)
      const startedAt = performance.now()
      yield* proxy.signal("SIGTERM")
      expect(yield* proxy.ended).toBe(0)
      expect(performance.now() - startedAt).toBeLessThan(1_200 + leeway)
      expect(proxy.said).toMatch(/WARN {2}cut .*session=app/)
      expect(proxy.said).toMatch(/ERROR not everything stopped in time, .*among_them="websocket app \S+".* left=1\n/)
    }),
  )

  it.scopedLive("stops within a second of a second signal", () =>
    Effect.gen(function* () {
      const proxy = yield* stuckProxy(600)
      yield* proxy.signal("SIGTERM")
      yield* proxy.says("draining")
      const startedAt = performance.now()
      yield* proxy.signal("SIGINT")
      expect(yield* proxy.ended).toBe(0)
      expect(performance.now() - startedAt).toBeLessThan(1_000 + leeway)
    }),
  )
})

describe("ss-proxy run with idle WebSockets and no grace", () => {
  it.scopedLive("stops at once", () =>
    Effect.gen(function* () {
      const origin = yield* RawOrigin.start(agreeing())
      const proxy = yield* ProxyProcess.start({ app: origin.url }, ["env", "SS_PROXY_GRACE=0"])
      const clients = yield* Effect.replicateEffect(RawClient.connect(Number(new URL(proxy.url).port)), 5)
      for (const client of clients) {
        yield* client.send(handshake())
        yield* client.head
      }
      yield* proxy.signal("SIGTERM")
      expect(yield* proxy.ended).toBe(0)
      expect(proxy.said).toContain("stopped")
      expect(proxy.said).not.toContain("not everything stopped")
    }),
  )
})
