import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { readResponse } from "../support/HttpMessage.js"
import { answer, chunk, crlf, lastChunk, request, response } from "../support/HttpText.js"
import { makeRandom, type Random } from "../support/Random.js"
import type { RawClient } from "../support/RawClient.js"
import { RawOrigin, type Script } from "../support/RawOrigin.js"
import { startProxy, type TestProxy } from "../support/TestProxy.js"
import { clientText, serverText } from "../websocket/Frames.js"
import { handshakeFields, switching } from "../websocket/Tunnel.js"

/*
 * Hundreds of clients that pipeline, cut, half-close, upgrade, stop reading and leave in every order, to servers that
 * answer early, late, in part, wrongly or not at all. Whatever a client gets must be answers to what it asked, in order,
 * and none that is cut may look whole; behind all of them nothing may be left, and nothing of ours may have thrown.
 */

// These let it run for longer, or otherwise.
const seed = Number(process.env["PROPERTY_SEED"] ?? 20_260_101)
const factor = Number(process.env["PROPERTY_FACTOR"] ?? 1)
const crowd = 300 * factor
const atOnce = 40

/** What every answer to a request with this id says, and no other. */
const mark = (target: string): string => `<${/\d+/.exec(target)?.[0]}>`
const padding = "x".repeat(200_000)
const streaming = response("200 OK", ["Transfer-Encoding: chunked"])

/** What a server does with a request that it has got whole. The connection is its own where it does not go on. */
const behaviours: Readonly<Record<string, (body: string) => ReadonlyArray<string | number | "finish" | "reset">>> = {
  plain: (body) => [answer("200 OK", body)],
  slow: (body) => [20, answer("200 OK", body)],
  large: (body) => [answer("200 OK", body + padding)],
  chunked: (body) => [streaming + chunk(body.slice(0, 2)), 3, chunk(body.slice(2)) + lastChunk(["T: 1"])],
  hints: (body) => [response("103 Early Hints", ["Link: <a>"]), 2, answer("200 OK", body)],
  empty: () => [response("204 No Content")],
  untilClose: (body) => [`${response("200 OK")}${body}`, 3, "finish"],
  cut: (body) => [`${response("200 OK", ["Content-Length: 1000"])}${body}`, 2, "reset"],
  hangsUp: () => ["finish"],
  resets: () => ["reset"],
  garbage: () => ["SSH-2.0\r\n\r\n"],
  silent: () => [60_000],
}

/** What a server says before it has got the request whole. */
const earlyBehaviours: typeof behaviours = {
  refuses: (body) => [answer("413 Content Too Large", body)],
  refusesAndCloses: (body) => [answer("413 Content Too Large", body, ["Connection: close"]), "finish"],
  streams: (body) => [streaming + chunk(body), 10, lastChunk()],
}

const behave = (connection: Parameters<Script>[0], target: string, table: typeof behaviours) =>
  Effect.gen(function* () {
    const steps = table[target.split("/").at(-1) ?? ""]
    if (steps === undefined) return yield* Effect.dieMessage(`nothing is known of ${target}`)
    for (const step of steps(mark(target))) {
      if (typeof step === "number") yield* Effect.sleep(step)
      else if (step === "finish" || step === "reset") yield* connection[step]
      else yield* connection.send(step)
    }
  })

const server: Script = (connection) =>
  Effect.gen(function* () {
    for (;;) {
      const seen = yield* connection.request
      if (seen.value("upgrade") === undefined) yield* behave(connection, seen.target, behaviours)
      else if (seen.target.endsWith("plain")) yield* connection.send(answer("403 Forbidden", mark(seen.target)))
      else
        return yield* connection.send(
          Buffer.concat([Buffer.from(switching(seen), "latin1"), serverText(mark(seen.target))]),
        )
    }
  })

const earlyServer: Script = (connection) =>
  Effect.flatMap(connection.head, ({ target }) => behave(connection, target, earlyBehaviours))

/** A client's doings, all of them decided beforehand. */
interface Plan {
  /** Method and mark of each request, in order. */
  readonly asked: ReadonlyArray<{ readonly method: string; readonly mark: string }>
  readonly writes: ReadonlyArray<string>
  readonly leaves: "finish" | "reset" | undefined
  /** When it leaves, in milliseconds, whether it has sent everything or not; `undefined`: behind its last byte. */
  readonly leavesAfter: number | undefined
  readonly stopsReading: boolean
}

const makeBody = (random: Random): readonly [line: string, body: string] => {
  const data = "d".repeat(random.pick([0, 1, 10, 3_000, 70_000, 300_000]))
  if (random.chance(0.5)) return [`Content-Length: ${data.length}`, data]
  const size = random.pick([1 + (data.length >> 10), 1_000, 60_000])
  const chunks = Array.from({ length: Math.ceil(data.length / size) }, (_, index) =>
    chunk(data.slice(index * size, (index + 1) * size)),
  )
  return ["Transfer-Encoding: chunked", chunks.join("") + (random.chance(0.05) ? "zz\r\n" : lastChunk())]
}

const makeRequest = (random: Random, id: number) => {
  const isUpgrade = random.chance(0.1)
  const isEarly = !isUpgrade && random.chance(0.2)
  const what = random.pick(Object.keys(isEarly ? earlyBehaviours : behaviours) as [string, ...Array<string>])
  const session = random.chance(0.08) ? "nobody" : isEarly ? "early" : "app"
  const method = isUpgrade ? "GET" : random.pick(["GET", "GET", "POST", "PUT", "HEAD", "BREW"])
  const lines = [...(isUpgrade ? handshakeFields : []), ...(random.chance(0.05) ? ["Connection: close"] : [])]
  const [line, body] = method === "GET" || random.chance(0.2) ? ["X-A: b", ""] : makeBody(random)
  const text = request(`${method} /${session}/${id}/${what}`, [...lines, line], body)
  const isOld = !isUpgrade && line === "X-A: b" && random.chance(0.1)
  const frames = isUpgrade && random.chance(0.5) ? clientText("hi").toString("latin1") : ""
  return { method, mark: `<${id}>`, text: (isOld ? text.replace(" HTTP/1.1", " HTTP/1.0") : text) + frames }
}

const nonsense = ["\x16\x03\x01", "GET /\0", "nonsense\r\n\r\n", "GET /app/0/pl", "POST / HTTP/1.1\r\n\r\n"] as const

const makePlan = (random: Random, client: number): Plan => {
  const requests = Array.from({ length: 1 + random.below(5) }, (_, index) => makeRequest(random, client * 10 + index))
  let text = requests.map((one) => (random.chance(0.1) ? crlf : "") + one.text).join("")
  if (random.chance(0.1)) text += random.pick(nonsense)
  if (random.chance(0.1)) text = text.slice(0, random.below(text.length))
  const size = random.chance(0.5) ? text.length : 1 + (text.length >> random.pick([1, 3, 6]))
  const writes = Array.from({ length: Math.ceil(text.length / size) }, (_, at) =>
    text.slice(at * size, (at + 1) * size),
  )
  return {
    asked: requests,
    writes: writes.filter((piece) => piece !== ""),
    leaves: random.pick(["finish", "reset", undefined, undefined, undefined]),
    leavesAfter: random.chance(0.5) ? random.below(40) : undefined,
    stopsReading: random.chance(0.15),
  }
}

/** Checks what a client got; its connection is over, or it will not look at it again. */
const assertAnswered = ({ asked }: Plan, client: RawClient, wasCut: boolean): void => {
  let at = 0
  const read = (method: string) => readResponse(client.received, at, method, client.isOver && !wasCut)
  for (const { mark: expected, method } of asked) {
    if (at === client.received.length) return
    const found = read(method)
    // It does not look whole, which is all that is asked of one that is cut.
    if (found === undefined) return
    const { end, message } = found
    at = end
    if (message.status === 101) return
    const isOwn = message.value("proxy-status") !== undefined
    if (!isOwn && method !== "HEAD" && message.status !== 204)
      assert.strictEqual(message.text.replace(padding, ""), expected, client.description)
  }
  // What is no request has one answer, and only one.
  if (at === client.received.length) return
  const last = read("GET")
  assert.deepStrictEqual([last?.message.status, last?.end], [400, client.received.length], client.description)
}

/** Sockets of this process, which has every end of every connection. */
const openSockets = (): number => process.getActiveResourcesInfo().filter((kind) => kind === "TCPSocketWrap").length

const live = (proxy: TestProxy, plan: Plan): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const client = yield* proxy.connect
    if (plan.stopsReading) {
      yield* client.stopReading
      yield* Effect.forkScoped(Effect.delay(client.readOn, 60))
    }
    const sent = client.send(...plan.writes)
    if (plan.leavesAfter === undefined) yield* Effect.timeoutOption(sent, 2_000)
    else yield* Effect.timeoutOption(sent, plan.leavesAfter)
    if (plan.leaves === undefined) yield* Effect.timeoutOption(client.left, 150)
    else yield* client[plan.leaves]
    yield* Effect.timeoutOption(client.left, 1_000)
    const how = client.isOpen ? "open" : yield* Effect.orDie(client.gone)
    assertAnswered(plan, client, how !== "finished")
    client.socket.destroy()
  })

describe("a crowd of adversaries", () => {
  it.scopedLive(
    "gets answers to what it asked, in order, none cut that looks whole, and leaves nothing behind",
    () =>
      Effect.gen(function* () {
        const app = yield* RawOrigin.start(server)
        const early = yield* RawOrigin.start(earlyServer)
        const settings = {
          timeout: 300,
          bodyTimeout: 400,
          headTimeout: 800,
          keepAliveTimeout: 700,
          poolIdleTimeout: 300,
        }
        const sessions = { app: app.url, early: early.url }
        const proxy = yield* startProxy({ sessions, settings: { ...settings, accessLog: true } })
        const before = openSockets()
        const random = makeRandom(seed)
        const plans = Array.from({ length: crowd }, (_, index) => makePlan(random, index + 1))
        yield* Effect.forEach(plans, (plan) => Effect.scoped(live(proxy, plan)), { concurrency: atOnce, discard: true })
        yield* proxy.quiet
        yield* app.deserted
        yield* early.deserted
        for (let waits = 0; openSockets() > before && waits < 400; waits++) yield* Effect.sleep(5)
        assert.isAtMost(openSockets(), before)
        assert.deepStrictEqual(
          proxy.log.filter((line) => line.includes("defect")),
          [],
        )
        const ids = proxy.log.flatMap((line) => /message=request\b.* request_id=(\w+)/.exec(line)?.[1] ?? [])
        assert.isAbove(ids.length, crowd)
        assert.strictEqual(new Set(ids).size, ids.length)
      }),
    20_000 * factor,
  )
})
