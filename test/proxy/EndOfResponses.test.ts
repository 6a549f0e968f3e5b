import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Socket } from "node:net"
import { createServer, type TLSSocket } from "node:tls"
import { Authority } from "../support/Certificates.js"
import { describeUnless, lacking } from "../support/LeftOut.js"
import { answer, request, response } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"
import { listening } from "../support/Listening.js"
import type { Script } from "../support/RawOrigin.js"
import { startProxy } from "../support/TestProxy.js"

const get = request("GET /app/x")
const untilClose = response("200 OK", ["A: 1"], "first half;")

/** How a server that speaks TLS leaves: with close_notify, by FIN alone as one that was killed, or by RST. */
const departures = {
  notify: (tls: TLSSocket, _raw: Socket) => void tls.end(),
  fin: (_tls: TLSSocket, raw: Socket) => void raw.end(),
  reset: (_tls: TLSSocket, raw: Socket) => void raw.resetAndDestroy(),
} as const

/** A proxy whose session's server speaks TLS of this version, says `bytes` to a request, and leaves. */
const startTls = (bytes: string, how: keyof typeof departures, maxVersion: "TLSv1.2" | "TLSv1.3" = "TLSv1.3") =>
  Effect.gen(function* () {
    const authority = yield* Authority.make()
    const { cert, key } = yield* authority.issue()
    const server = createServer({ cert, key, maxVersion })
    const transports: Array<Socket> = []
    server.on("connection", (raw: Socket) => transports.push(raw))
    server.on("secureConnection", (tls) => {
      const raw = transports[transports.length - 1]
      tls.on("error", () => {})
      tls.once("data", () => tls.write(bytes, "latin1", () => raw && departures[how](tls, raw)))
    })
    const port = yield* listening(server)
    return yield* startProxy({
      sessions: { app: `https://127.0.0.1:${port}` },
      settings: { downstreamCa: authority.cert },
    })
  })

describeUnless(lacking("openssl"))("a response over TLS that ends with its connection", () => {
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    for (const how of ["fin", "reset"] as const)
      it.scopedLive(`is incomplete without close_notify, and its client is reset: ${version}, ${how}`, () =>
        Effect.gen(function* () {
          for (const line of [get, get.replace("HTTP/1.1", "HTTP/1.0")]) {
            const proxy = yield* startTls(untilClose, how, version)
            const client = yield* proxy.connect
            yield* client.send(line)
            assert.strictEqual(yield* client.gone, "reset")
            assert.notInclude(client.text, "0\r\n\r\n")
            assert.include(proxy.log.join("\n"), "broke off")
          }
        }),
      )

    it.scopedLive(`is complete with close_notify: ${version}`, () =>
      Effect.gen(function* () {
        const proxy = yield* startTls(untilClose, "notify", version)
        const client = yield* proxy.connect
        assert.strictEqual((yield* client.ask(get)).text, "first half;")
      }),
    )
  }

  it.scopedLive("is complete with close_notify though its client reads late", () =>
    Effect.gen(function* () {
      const body = "a".repeat(3_000_000)
      const proxy = yield* startTls(response("200 OK", ["A: 1"], body), "notify")
      const client = yield* proxy.connect
      yield* client.stopReading
      yield* client.send(get)
      yield* Effect.sleep(200)
      yield* client.readOn
      assert.strictEqual((yield* client.response()).text.length, body.length)
    }),
  )

  it.scopedLive("and one with a length needs no close_notify", () =>
    Effect.gen(function* () {
      const proxy = yield* startTls(answer("200 OK", "hello"), "fin")
      const client = yield* proxy.connect
      assert.strictEqual((yield* client.ask(get)).text, "hello")
    }),
  )
})

/** Answers as soon as the first bytes of a request are there, and hangs up without having read the rest. */
const early =
  (readsOn: boolean): Script =>
  (connection) =>
    Effect.gen(function* () {
      yield* connection.head
      if (!readsOn) yield* connection.stopReading
      yield* connection.send(response("413 Too Much", ["A: 1"], "stop"))
      yield* connection.finish
    })

describe("a response that ends with its connection while its request is being sent", () => {
  it.scopedLive("is complete, and no byte is put into the request", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ script: early(true) })
      const client = yield* proxy.connect
      yield* client.send(request("POST /app/x", ["Content-Length: 12"], "AAAAAAAAAA"))
      assert.strictEqual((yield* client.response()).text, "stop")
      yield* origin.deserted
      assert.isTrue(origin.text.endsWith("\r\n\r\nAAAAAAAAAA"), JSON.stringify(origin.text.slice(-20)))
    }),
  )

  it.scopedLive("is complete though its server takes no more of the request", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ script: early(false) })
      const client = yield* proxy.connect
      const upload = client.send(request("POST /app/x", ["Content-Length: 90000000"]), "A".repeat(30_000_000))
      yield* Effect.fork(upload)
      assert.strictEqual((yield* client.response()).text, "stop")
      yield* client.reset
      yield* (yield* origin.connection()).readOn
      yield* origin.deserted
    }),
  )
})
