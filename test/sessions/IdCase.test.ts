import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, FastCheck as fc, Layer, Option } from "effect"
import Sqlite from "better-sqlite3"
import { ProxyConfig } from "../../src/domain/ProxyConfig.js"
import { sqliteAt } from "../../src/cli/Database.js"
import type { StoreUnavailable } from "../../src/domain/ProxyError.js"
import { foldedId } from "../../src/sessions/FoldedId.js"
import { layerMemory } from "../../src/sessions/MemorySessionRepo.js"
import { SessionDirectory } from "../../src/sessions/SessionDirectory.js"
import { SessionRepo } from "../../src/sessions/SessionRepo.js"
import { twinsIn } from "../../src/sessions/sqlite/SqliteProbe.js"
import { findFoldedStatement } from "../../src/sessions/sqlite/SqliteRows.js"
import { layerSqlite } from "../../src/sessions/sqlite/SqliteSessionRepo.js"
import { idCaseChecks } from "../../src/cli/check/IdCaseCheck.js"
import { idCaseInUse, idInNames } from "../../src/cli/IdCase.js"
import { namesOf, withoutName } from "../../src/cli/SessionNames.js"
import { refuseTwin } from "../../src/cli/sessions/Twin.js"
import { request } from "../support/HttpText.js"
import { answering, RawOrigin } from "../support/RawOrigin.js"
import { hello } from "../support/Lab.js"
import { startProxy } from "../support/TestProxy.js"
import { openWs } from "../support/WsPeer.js"
import { WsOrigin } from "../support/WsOrigin.js"
import { temporaryFile } from "./temporary.js"

const layers: Record<string, Layer.Layer<SessionRepo, StoreUnavailable>> = {
  memory: layerMemory(),
  sqlite: Layer.unwrapScoped(
    Effect.map(temporaryFile("sessions.db"), (filename) => layerSqlite({ filename, idCase: "fold" })),
  ),
}

/** A change must be in force after this long. */
const inForce = Effect.sleep(10)
const at = (url: string) => (id: string) => ({ id, url, status: "active" })
const mac = at("http://127.0.0.1:9")

/** A directory over a store, which folds ids. */
const startDirectory = (layer: Layer.Layer<SessionRepo, StoreUnavailable>) =>
  Effect.gen(function* () {
    const repo = Context.get(yield* Layer.build(Layer.fresh(layer)), SessionRepo)
    const given = [Layer.succeed(SessionRepo, repo), ProxyConfig.layer({ idCase: "fold" })] as const
    const services = yield* Layer.build(Layer.provide(Layer.fresh(SessionDirectory.layer), given))
    return { repo, directory: Context.get(services, SessionDirectory) }
  })

describe("a folded id", () => {
  it("has small ASCII letters, and every other character as it is", () => {
    assert.strictEqual(foldedId("AA-bb:Çß\u212aİ"), "aa-bb:Çß\u212aİ")
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (id) => {
        const folded = foldedId(id)
        assert.strictEqual(foldedId(folded), folded)
        assert.strictEqual(
          folded,
          Array.from(id, (one) => (one >= "A" && one <= "Z" ? one.toLowerCase() : one)).join(""),
        )
      }),
    )
  })
})

describe.each(Object.entries(layers))("ids of which the case does not count (%s)", (_, layer) => {
  it.scopedLive("find one lifetime by any spelling, and follow each change of its row", () =>
    Effect.gen(function* () {
      const { directory, repo } = yield* startDirectory(layer)
      yield* repo.add(mac("Aa-Bb"))
      const live = yield* directory.lookup("AA-BB")
      assert.strictEqual(live.id, "Aa-Bb")
      assert.strictEqual(yield* directory.lookup("aa-bb"), live)
      assert.strictEqual(directory.activityOf("AA-bb"), live.activity)
      assert.deepStrictEqual([...directory.known()], ["Aa-Bb"])
      assert.strictEqual((yield* Effect.flip(directory.lookup("AA-BB\u0130")))._tag, "SessionNotFound")
      yield* repo.set("Aa-Bb", { url: "http://127.0.0.1:10" })
      yield* inForce
      assert.notStrictEqual(yield* directory.lookup("aA-bB"), live)
      assert.strictEqual(live.ended, "retargeted")
      yield* repo.remove("Aa-Bb")
      yield* inForce
      assert.strictEqual((yield* Effect.flip(directory.lookup("AA-BB")))._tag, "SessionNotFound")
    }),
  )

  it.scopedLive("refuse two rows of one id until one is gone, and leave what runs alone", () =>
    Effect.gen(function* () {
      const { directory, repo } = yield* startDirectory(layer)
      yield* repo.add(mac("aa"))
      const live = yield* directory.lookup("aa")
      live.attach({ sessionEnded: () => {} })
      yield* repo.add(at("http://127.0.0.1:10")("AA"))
      yield* inForce
      for (const id of ["aa", "AA", "aA"]) {
        const error = yield* Effect.flip(directory.lookup(id))
        assert.deepInclude(error, { _tag: "SessionPolicyInvalid", sessionId: "aa" })
        assert.include("problem" in error ? error.problem : "", '"AA"')
      }
      assert.isUndefined(live.ended)
      yield* repo.remove("AA")
      yield* inForce
      assert.strictEqual(yield* directory.lookup("aA"), live)
      yield* repo.remove("aa")
      yield* repo.add(mac("AA"))
      yield* inForce
      assert.strictEqual((yield* directory.lookup("aa")).id, "AA")
      assert.isDefined(live.ended)
    }),
  )
})

describe("the index for ids of which the case does not count", () => {
  it.scopedLive("is made when it is asked for alone, and used for ids that nobody has", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile("sessions.db")
      const indexes = Effect.sync(() => {
        const database = new Sqlite(filename, { readonly: true })
        const names = database.prepare("SELECT name FROM sqlite_master WHERE type = 'index'").pluck().all()
        const plan = JSON.stringify(database.prepare(`EXPLAIN QUERY PLAN ${findFoldedStatement}`).all("x"))
        database.close()
        return { names, plan }
      })
      yield* Effect.scoped(Layer.build(layerSqlite({ filename })))
      assert.notInclude((yield* indexes).names, "idx_session_id_nocase")
      yield* Effect.scoped(Layer.build(layerSqlite({ filename, idCase: "fold" })))
      const { names, plan } = yield* indexes
      assert.include(names, "idx_session_id_nocase")
      assert.include(plan, "SEARCH sessions USING INDEX idx_session_id_nocase")
      assert.notInclude(plan, "SCAN")
    }),
  )

  it.scopedLive("is what the check of ids goes by", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile("sessions.db")
      const repo = Context.get(yield* Layer.build(layerSqlite({ filename })), SessionRepo)
      for (const id of ["aa", "b", "AA", "\u212a", "k"]) yield* repo.add(mac(id))
      assert.deepStrictEqual(yield* twinsIn(filename, 4), [["AA", "aa"]])
      const [finding] = yield* idCaseChecks("fold", sqliteAt(filename))
      assert.deepInclude(finding, { check: "id case", result: "fail" })
      assert.include(finding?.message, "AA and aa")
      assert.deepStrictEqual(yield* idCaseChecks("exact", sqliteAt(filename)), [])
      yield* repo.remove("aa")
      assert.deepInclude((yield* idCaseChecks("fold", sqliteAt(filename)))[0], { result: "ok" })
    }),
  )
})

describe("sessions add", () => {
  it.scopedLive("refuses an id that is there in other letters, where the variable says that proxies fold", () =>
    Effect.gen(function* () {
      const repo = yield* Layer.build(layerMemory([mac("aa")]))
      const refusalWith = (variables: ReadonlyArray<readonly [string, string]>, id: string) =>
        refuseTwin(id).pipe(
          Effect.provide(repo),
          Effect.withConfigProvider(ConfigProvider.fromMap(new Map(variables))),
          Effect.flip,
          Effect.option,
        )
      const folds = [["SS_PROXY_ID_CASE", "fold"]] as const
      assert.include(Option.getOrThrow(yield* refusalWith(folds, "AA")).problem, '"aa"')
      assert.isTrue(Option.isNone(yield* refusalWith(folds, "aa")))
      assert.isTrue(Option.isNone(yield* refusalWith([], "AA")))
    }),
  )
})

describe("ids and names", () => {
  it.effect("a name is told of an id with capitals only where the variable says that proxies fold", () =>
    Effect.gen(function* () {
      const labelWith = (variables: ReadonlyArray<readonly [string, string]>) =>
        Effect.map(idCaseInUse, (idCase) => idInNames("AA-bb", idCase)).pipe(
          Effect.withConfigProvider(ConfigProvider.fromMap(new Map(variables))),
        )
      const hosts = ["apps.test"]
      const folded = yield* labelWith([["SS_PROXY_ID_CASE", "fold"]])
      assert.deepStrictEqual(namesOf(folded, hosts), ["aa-bb.apps.test"])
      assert.isUndefined(withoutName(folded, hosts))
      for (const variables of [[], [["SS_PROXY_ID_CASE", "exact"]]] as const)
        assert.include(withoutName(yield* labelWith(variables), hosts), "capital letters")
    }),
  )
})

describe("a proxy that folds ids", () => {
  it.scopedLive("forwards any spelling to one session, and passes the client's on", () =>
    Effect.gen(function* () {
      const origin = yield* RawOrigin.start(answering(hello))
      const sockets = yield* WsOrigin.start()
      const sessions = { "Aa-Bb": origin.url, "cc-DD": sockets.url }
      const proxy = yield* startProxy({ sessions, settings: { idCase: "fold", accessLog: true } })
      const client = yield* proxy.connect
      for (const id of ["AA-BB", "aa-bb"]) assert.strictEqual((yield* client.ask(request(`GET /${id}/x`))).status, 200)
      assert.deepStrictEqual(
        origin.requests.map((one) => one.value("x-forwarded-prefix")),
        ["/AA-BB", "/aa-bb"],
      )
      assert.strictEqual(origin.connections.length, 1)
      assert.lengthOf(
        proxy.log.filter((line) => line.includes("session=Aa-Bb")),
        2,
      )
      const peer = yield* openWs(`${proxy.url}/ws/CC-dd`)
      assert.strictEqual(sockets.accepted[0]?.handshake.url, "/CC-dd")
      yield* proxy.repo.remove("cc-DD")
      assert.strictEqual((yield* peer.closed).code, 1001)
    }),
  )

  it.scopedLive("is not what a proxy does by default", () =>
    Effect.gen(function* () {
      const proxy = yield* startProxy({ sessions: { aa: "http://127.0.0.1:9" } })
      const client = yield* proxy.connect
      assert.strictEqual((yield* client.ask(request("GET /AA/x"))).status, 404)
    }),
  )
})
