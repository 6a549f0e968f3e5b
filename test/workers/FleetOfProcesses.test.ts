import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { LiveView } from "../../src/admin/api/LiveView.js"
import { ProcessView } from "../../src/admin/api/ProxyViews.js"
import { StatsView } from "../../src/admin/api/StatsGroup.js"
import { EventReader } from "../admin/EventReader.js"
import { temporaryFolder } from "../sessions/temporary.js"
import { eventually } from "../support/Changes.js"
import { bareRequest, request } from "../support/HttpText.js"
import { hello } from "../support/Lab.js"
import { valueIn } from "../support/Numbers.js"
import { ProxyProcess } from "../support/ProxyProcess.js"
import { RawClient } from "../support/RawClient.js"
import { answering, RawOrigin, silent } from "../support/RawOrigin.js"

const processesOf = Schema.decodeUnknownSync(Schema.Struct({ processes: Schema.Array(ProcessView) }))
const liveOf = Schema.decodeUnknownSync(Schema.Struct({ live: Schema.Array(LiveView) }))
const statsOf = Schema.decodeUnknownSync(StatsView)

const answered = 'ss_proxy_http_requests_total{method="GET",status="2xx",cause=""}'
const ofApp = 'ss_proxy_session_requests_total{session="app",status="2xx"}'

/** A proxy of two workers, its admin socket, and two sessions: `app`, which answers, and `slow`, which does not. */
const start = Effect.gen(function* () {
  const app = yield* RawOrigin.start(answering(hello))
  const slow = yield* RawOrigin.start(silent)
  const socket = join(yield* temporaryFolder, "admin.sock")
  const proxy = yield* ProxyProcess.startWith({
    sessions: { app: app.url, slow: slow.url },
    flags: ["--workers", "2", "--admin-socket", socket, "--metrics-sessions", "5", "--grace", "1"],
  })
  const askAdmin = (requestLine: string) =>
    Effect.scoped(
      Effect.flatMap(RawClient.connectToPath(socket), (client) =>
        client.ask(bareRequest(requestLine, ["Host: admin"])),
      ),
    )
  const get = (target: string) => Effect.map(askAdmin(`GET ${target}`), ({ text }): unknown => JSON.parse(text))
  const connect = RawClient.connect(Number(new URL(proxy.url).port))
  const workers = Effect.map(get("/v1/processes"), (found) =>
    processesOf(found).processes.filter(({ role }) => role === "worker"),
  )
  const counted = Effect.map(askAdmin("GET /metrics"), ({ text }) => [valueIn(text, answered), valueIn(text, ofApp)])
  return { askAdmin, connect, counted, get, proxy, socket, workers }
})

describe("a proxy of several processes", () => {
  it.scopedLive("is one to who looks at it and steers it, also when one of them is killed", () =>
    Effect.gen(function* () {
      const { askAdmin, connect, counted, get, proxy, socket, workers } = yield* start
      const tail = yield* EventReader.open(socket, "/v1/tail?session=app")
      yield* tail.until("its head", ({ client }) => client.unread.includes("retry: 2000"))

      // The kernel chooses who accepts a connection.
      let waiting = 0
      const bothAreBusy = Effect.gen(function* () {
        yield* Effect.flatMap(connect, (client) => client.send(request("GET /slow/")))
        waiting++
        return (yield* workers).every(({ live }) => live.requests > 0)
      })
      yield* Effect.repeat(bothAreBusy, { until: (busy) => busy, times: 200 })
      const all = Effect.map(get("/v1/live?limit=1000"), (found) => liveOf(found).live)
      yield* eventually(
        Effect.map(all, (live) => live.length === waiting),
        "all requests",
      )
      const live = yield* all
      const names = new Set(live.map(({ worker }) => worker))
      assert.strictEqual(names.size, 2)
      for (const name of names) {
        const id = live.find(({ worker }) => worker === name)?.id ?? ""
        assert.strictEqual((yield* askAdmin(`DELETE /v1/live/${id}`)).status, 204)
      }
      yield* eventually(
        Effect.map(get("/v1/stats"), (found) => statsOf(found).sample.requests === waiting - 2),
        "the sum of what waits",
      )

      const requests = 12
      for (let times = 0; times < requests; times++)
        yield* Effect.scoped(Effect.flatMap(connect, (client) => client.ask(request("GET /app/"))))
      yield* tail.until("all records", (now) => now.named("record").length === requests)
      assert.deepStrictEqual(yield* counted, [requests, requests])

      const [victim] = yield* workers
      process.kill(victim?.pid ?? 0, "SIGKILL")
      yield* eventually(
        Effect.map(workers, (found) => found.length === 2 && found.every(({ worker }) => worker !== victim?.worker)),
        "another worker in its place",
      )
      assert.deepStrictEqual(yield* counted, [requests, requests])
      yield* Effect.scoped(Effect.flatMap(connect, (client) => client.ask(request("GET /app/"))))
      assert.deepStrictEqual(yield* counted, [requests + 1, requests + 1])
      const asking = Effect.scoped(Effect.flatMap(connect, (client) => client.ask(request("GET /app/"))))
      yield* Effect.raceFirst(
        tail.until("records of the new worker", (now) => now.named("record").length > requests + 1),
        Effect.forever(Effect.zipRight(asking, Effect.sleep(50))),
      )

      // What new workers cannot begin with: those from before go on.
      renameSync(proxy.database, `${proxy.database}.away`)
      writeFileSync(proxy.database, "no database, though it has this name\n".repeat(50))
      const refused = yield* askAdmin("POST /v1/reload")
      assert.strictEqual(refused.status, 409)
      assert.include(refused.text, '"code":"reload_failed"')
      assert.include(refused.text, "is not an SQLite database")
      assert.strictEqual((yield* workers).length, 2)
      renameSync(`${proxy.database}.away`, proxy.database)
      assert.strictEqual((yield* askAdmin("POST /v1/reload")).status, 200)
      yield* proxy.signal("SIGTERM")
      assert.strictEqual(yield* proxy.ended, 0)
    }),
  )
})
