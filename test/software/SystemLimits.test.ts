import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { spawnSync } from "node:child_process"
import { symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "../docs/Blocks.js"
import { describeUnless } from "../support/LeftOut.js"
import { temporaryFolder } from "../sessions/temporary.js"
import type { NotSeen } from "../support/Changes.js"
import type { HttpMessage } from "../support/HttpMessage.js"
import { HttpOrigin } from "../support/HttpOrigin.js"
import { request } from "../support/HttpText.js"
import { ProxyProcess } from "../support/ProxyProcess.js"
import { RawClient } from "../support/RawClient.js"
import { runTool } from "../support/Tool.js"

/** A program that becomes the one behind it, which may have so many files open. */
const withFiles = (limit: number): ReadonlyArray<string> => ["sh", "-c", `ulimit -n ${limit} && exec "$@"`, "sh"]

/** Opens so many connections to a proxy, and gives those that it took in; the others it closes. */
const crowd = (port: number, count: number): Effect.Effect<ReadonlyArray<RawClient>, NotSeen, Scope.Scope> =>
  Effect.gen(function* () {
    const clients = yield* Effect.all(Array.from({ length: count }, () => RawClient.connect(port)))
    const taken = yield* Effect.forEach(
      clients,
      (client) =>
        Effect.raceFirst(
          Effect.as(Effect.zipRight(client.send(request("GET /health")), client.seen("OK\r\n")), true),
          Effect.as(client.left, false),
        ),
      { concurrency: "unbounded" },
    )
    const inside = clients.filter((_, index) => taken[index] === true)
    yield* Effect.forEach(inside, (client) => client.response(), { discard: true })
    return inside
  })

const assertOverloaded = (reply: HttpMessage): void => {
  assert.strictEqual(reply.status, 503, reply.text)
  assert.include(reply.text, '"code":"overloaded"')
  assert.strictEqual(reply.value("retry-after"), "1")
  assert.strictEqual(reply.value("proxy-status"), "ss-proxy; error=connection_limit_reached")
}

const handshake = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
]

describe("a proxy that has as many files open as it may", () => {
  it.scopedLive("says so to whoever asks a session's server, spends nothing on it, and recovers", () =>
    Effect.gen(function* () {
      const origin = yield* HttpOrigin.start((_, response) => response.end("hello"))
      const sessions = { app: origin.url, named: `http://localhost:${origin.port}` }
      const proxy = yield* ProxyProcess.start(sessions, withFiles(100))
      const port = Number(new URL(proxy.url).port)
      const statuses = (client: RawClient) =>
        Effect.forEach(["/app/x", "/named/x"], (target) =>
          Effect.map(client.ask(request(`GET ${target}`)), ({ status }) => status),
        )

      yield* Effect.scoped(
        Effect.gen(function* () {
          const inside = yield* crowd(port, 200)
          assert.isAbove(inside.length, 10)
          assert.isBelow(inside.length, 100)
          const [first, second] = inside
          if (first === undefined || second === undefined) return yield* Effect.dieMessage("nobody was taken in")
          assertOverloaded(yield* first.ask(request("GET /app/x")))
          // A resolver that cannot open a file says that there is no such name.
          assertOverloaded(yield* first.ask(request("GET /named/x")))
          assertOverloaded(yield* second.ask(request("GET /ws/app", handshake)))
          assert.strictEqual((yield* first.ask(request("GET /health"))).text, "OK")
          assert.strictEqual((yield* first.ask(request("GET /nobody/x"))).status, 404)
          assert.match(proxy.said, /error=SystemShortage .*hint="[^"]*ulimit -n/)

          const before = proxy.cpuTime
          yield* Effect.sleep(1_000)
          assert.isBelow(proxy.cpuTime - before, 300)
        }),
      )

      const after = yield* RawClient.connect(port)
      while (!(yield* statuses(after)).every((status) => status === 200)) yield* Effect.sleep(20)
      assert.notInclude(proxy.said, "defect")
    }),
  )
})

/** Whether this user may make a network of its own, with a loopback interface. */
const canIsolate = (): boolean => spawnSync("unshare", ["-n", "ip", "link", "set", "lo", "up"]).status === 0

/** A session's server and six requests to it, none of which it answers: what became of those that ended. */
const program = (host: string) => `
  import { Effect, Fiber, Layer } from "effect"
  import { createServer } from "node:net"
  import { Body, Downstream, layerConnections, layerMemory, ProxyConfig, SessionDirectory } from "ss-proxy"

  const origin = createServer().listen(19000, "${host.includes(":") ? "::" : "0.0.0.0"}")
  await new Promise((resolve) => origin.once("listening", resolve))
  const program = Effect.gen(function* () {
    const session = yield* (yield* SessionDirectory).lookup("one")
    const downstream = yield* Downstream
    const head = { method: "GET", target: "/", fields: ["Host", "h"] }
    for (let count = 0; count < 6; count++) {
      const request = yield* Effect.fork(Effect.flip(downstream.request(session, head, Body.empty)))
      yield* Effect.sleep(50)
      const ended = yield* Fiber.poll(request)
      if (ended._tag === "Some")
        console.log(yield* Effect.map(ended.value, (error) => error._tag + " " + (error.lacking ?? error.reason)))
    }
  })
  const services = Layer.merge(SessionDirectory.layer, layerConnections).pipe(
    Layer.provide(layerMemory([{ id: "one", url: "http://${host}:19000", status: "active" }])),
    Layer.provide(ProxyConfig.layer()),
  )
  await Effect.runPromise(Effect.provide(program, services))
  process.exit(0)
`

describeUnless(canIsolate() ? undefined : "no network of its own can be made")(
  "a machine of which every port to connect from is taken",
  () => {
    /** What the program prints in a network of its own, made ready by these commands. */
    const printed = (host: string, ...commands: ReadonlyArray<string>) =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const file = join(folder, "program.mjs")
        symlinkSync(join(root, "node_modules"), join(folder, "node_modules"))
        writeFileSync(file, program(host).replace('"ss-proxy"', JSON.stringify(join(root, "dist", "index.js"))))
        const script = [...commands, 'exec "$@"'].join(" && ")
        const { code, stdout, stderr } = yield* runTool("unshare", [
          "-n",
          "sh",
          "-c",
          script,
          "sh",
          process.execPath,
          file,
        ])
        assert.strictEqual(code, 0, stderr)
        return stdout.trim().split("\n")
      })
    const fewPorts = "echo 40000 40003 > /proc/sys/net/ipv4/ip_local_port_range"
    const up = "ip link set lo up"

    it.scopedLive("is what is at fault, not the session's server", () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* printed("127.0.0.1", up, fewPorts), Array(2).fill("SystemShortage ports"))
        assert.deepStrictEqual(yield* printed("[::1]", up, fewPorts), Array(2).fill("SystemShortage ports"))
      }),
    )

    it.scopedLive("is told from one that has no address to connect from", () =>
      Effect.gen(function* () {
        const noIpv6 = "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6"
        assert.deepStrictEqual(yield* printed("[::1]", noIpv6, up), Array(6).fill("DownstreamUnreachable unroutable"))
      }),
    )
  },
)
