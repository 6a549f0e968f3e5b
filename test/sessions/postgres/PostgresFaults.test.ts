import { assert, it } from "@effect/vitest"
import { Context, Deferred, Effect, Layer, Redacted } from "effect"
import { chmodSync, chownSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Client } from "pg"
import type { PostgresPlace } from "../../../src/sessions/postgres/PostgresPlace.js"
import { layerPostgres } from "../../../src/sessions/postgres/PostgresSessionRepo.js"
import { SessionRepo } from "../../../src/sessions/SessionRepo.js"
import { Authority } from "../../support/Certificates.js"
import { fairNow } from "../../support/FairClock.js"
import { describeUnless, lacking } from "../../support/LeftOut.js"
import { lackingPostgres, newDatabase, PostgresServer, runIn, urlOf } from "../../support/PostgresServer.js"
import { placeAt, testDatabase } from "../../support/SharedPostgres.js"
import { temporaryFile } from "../temporary.js"

const alpha = { id: "alpha", url: "http://127.0.0.1:9001", status: "active" }

const storeAt = (place: PostgresPlace, options: { readonly patience?: number; readonly readonly?: boolean } = {}) =>
  Effect.map(Layer.build(layerPostgres({ place, ...options })), (context) => Context.get(context, SessionRepo))

/** Why a store cannot be opened. */
const problemAt = (place: PostgresPlace) =>
  Effect.map(Effect.flip(Effect.scoped(storeAt(place))), ({ hint, message, problem }) => {
    assert.notInclude(message, "secret")
    return `${problem}. ${hint}`
  })

describeUnless(lackingPostgres)("a PostgreSQL database that does not serve", () => {
  it.scopedLive("is named with what is wrong, and what to do", () =>
    Effect.gen(function* () {
      const { server, url } = yield* testDatabase()
      const place = placeAt(url)
      const at = (change: Partial<PostgresPlace>) => problemAt({ ...place, ...change })
      assert.include(yield* at({ database: "none" }), "it has no such database")
      assert.include(yield* at({ user: "stranger" }), 'it does not let this user in (role "stranger" does not exist)')
      assert.include(yield* at({ hosts: [{ host: "127.0.0.1", port: 1 }] }), "127.0.0.1:1: nothing listens there")
      assert.include(yield* at({ hosts: [{ host: "no.invalid", port: 1 }] }), "the name of its host is not known")
      assert.include(yield* at({ hosts: [{ host: "/no", port: 1 }] }), "/no/.s.PGSQL.1: there is no such socket")
      assert.include(yield* at({ schema: "none" }), 'has no schema "none"')
      const tls = { ...place.tls, mode: "require" } as const
      assert.include(yield* at({ tls }), "it does not encrypt connections (TLS)")
      assert.include(
        yield* at({ tls: { ...tls, rootCert: "/no.pem" } }),
        "the file of sslrootcert cannot be read (/no.pem)",
      )
      assert.include(yield* at({ channelBinding: "require" }), "it does not bind the password to TLS")
      // Each of several is named.
      const hosts = [1, 2].map((port) => ({ host: "127.0.0.1", port }))
      assert.include(yield* at({ hosts }), "127.0.0.1:1: nothing listens there; 127.0.0.1:2: nothing listens there")
      assert.strictEqual((yield* runIn(server, "postgres", "SELECT 1 AS one"))[0]?.["one"], 1)
    }),
  )

  it.scopedLive("is passed over where another one of several takes writes", () =>
    Effect.gen(function* () {
      const { name, server, url } = yield* testDatabase()
      const place = placeAt(url)
      const hosts = [{ host: "127.0.0.1", port: 1 }, ...place.hosts]
      const store = yield* storeAt({ ...place, hosts })
      yield* store.add(alpha)
      yield* runIn(server, "postgres", `ALTER DATABASE ${name} SET default_transaction_read_only = on`)
      assert.include(yield* problemAt(place), "it takes no writes: it is a standby")
      const reader = yield* storeAt({ ...place, sessionKind: "any" }, { readonly: true })
      assert.strictEqual(yield* reader.count, 1)
      const refused = yield* Effect.flip(reader.add({ ...alpha, id: "beta" }))
      assert.include(String(refused.message), "takes no writes")
      yield* runIn(server, "postgres", `ALTER DATABASE ${name} RESET default_transaction_read_only`)
      // It was connected to a server that takes none; now it looks again.
      yield* reader.add({ ...alpha, id: "beta" })
    }),
  )

  it.scopedLive("fails a statement whose answer is late, and serves the next one by another connection", () =>
    Effect.gen(function* () {
      const { name, server, url } = yield* testDatabase()
      const store = yield* storeAt(placeAt(url))
      yield* store.add(alpha)
      const holder = yield* Effect.acquireRelease(
        Effect.promise(async () => {
          const client = new Client({ host: server.folder, port: server.port, user: "tester", database: name })
          await client.connect()
          await client.query("BEGIN")
          await client.query("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE")
          return client
        }),
        (client) => Effect.promise(() => client.end()),
      )
      const late = yield* Effect.all([store.find("alpha"), store.find("beta"), store.find("gamma")].map(Effect.flip), {
        concurrency: "unbounded",
      })
      for (const { problem } of late) assert.match(problem, /did not answer a statement in time|is so slow/)
      // None of the statements keeps a connection of the server until the lock is gone.
      const stuck = `SELECT 1 FROM pg_stat_activity WHERE datname = '${name}' AND wait_event_type = 'Lock'`
      yield* Effect.repeat(runIn(server, "postgres", stuck), { until: (rows) => rows.length === 0 })
      yield* Effect.promise(() => holder.query("ROLLBACK"))
      const startedAt = fairNow()
      assert.strictEqual((yield* store.find("alpha"))._tag, "Some")
      assert.isBelow(fairNow() - startedAt, 1_500)
    }),
  )

  it.scopedLive("is refused where it cannot hold every id: one id would fail all that are asked with it", () =>
    Effect.gen(function* () {
      const { name, server, url } = yield* testDatabase()
      const latin = `${name}_latin`
      const template = "LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
      yield* runIn(server, "postgres", `CREATE DATABASE ${latin} ENCODING 'LATIN1' ${template}`)
      assert.include(yield* problemAt({ ...placeAt(url), database: latin }), "has the encoding LATIN1")
    }),
  )

  it.scopedLive("runs no function that somebody else has put where functions are looked for", () =>
    Effect.gen(function* () {
      const { run, url } = yield* testDatabase()
      const store = yield* storeAt(placeAt(url))
      const takes = (types: string, name: string, gives: string) =>
        run(`CREATE FUNCTION public.${name}(${types}) RETURNS ${gives} LANGUAGE plpgsql AS
          $$ BEGIN RAISE EXCEPTION 'taken in by %', '${name}'; END $$`)
      yield* takes("text, text, text, text, text", "json_build_array", "json")
      yield* takes("public.session_policies, json", "json_populate_recordset", "SETOF public.session_policies")
      yield* store.addAll([{ ...alpha, policy: { path: "keep" } }], { replace: false })
      yield* store.kill("alpha")
      assert.strictEqual((yield* store.find("alpha"))._tag, "Some")
    }),
  )

  it.scopedLive("leaves nothing behind where a write is interrupted", () =>
    Effect.gen(function* () {
      const { run, url } = yield* testDatabase()
      const store = yield* storeAt(placeAt(url))
      const many = Array.from({ length: 3_000 }, (_, at) => ({ ...alpha, id: `id-${at}` }))
      const begun = yield* Deferred.make<void>()
      const adding = store.addAll(many, {
        replace: false,
        watcher: {
          written: () => void Deferred.unsafeDone(begun, Effect.void),
          committed: () => assert.fail("it was committed"),
        },
      })
      yield* Effect.raceFirst(adding, Deferred.await(begun))
      assert.strictEqual(yield* store.count, 0)
      assert.deepStrictEqual(yield* run("SELECT 1 FROM pg_stat_activity WHERE state LIKE 'idle in%'"), [])
      yield* store.addAll(many, { replace: false })
      assert.strictEqual(yield* store.count, 3_000)
    }),
  )

  it.scopedLive("refuses what it cannot hold, and does not ask for it", () =>
    Effect.gen(function* () {
      const store = yield* Effect.flatMap(testDatabase(), ({ url }) => storeAt(placeAt(url)))
      for (const id of ["a\0b", "x".repeat(2_501)])
        assert.strictEqual((yield* Effect.flip(store.add({ ...alpha, id })))._tag, "SessionInvalid")
      const invalid = yield* Effect.flip(store.add({ ...alpha, status: "a\0b" }))
      assert.strictEqual(invalid._tag, "SessionInvalid")
      assert.strictEqual((yield* store.find("a\0b"))._tag, "None")
      assert.deepStrictEqual(yield* store.findMany(["a\0b", "b"]), [])
      assert.strictEqual((yield* Effect.flip(store.remove("a\0b")))._tag, "SessionNotFound")
      const steps = [{ _tag: "Remove", id: "a\0b" }] as const
      assert.strictEqual((yield* store.apply(steps, { replace: false, partly: false })).absent, 1)
    }),
  )
})

describeUnless(lackingPostgres ?? lacking("openssl"))("a PostgreSQL server of its own", () => {
  const ending: ReadonlyArray<NodeJS.Signals> = ["SIGINT", "SIGQUIT", "SIGKILL"]

  it.scopedLive("is waited for at the start, and found again after whatever end", () =>
    Effect.gen(function* () {
      const server = yield* PostgresServer.make()
      const place = placeAt(urlOf(server, yield* newDatabase(server)))
      yield* server.end("SIGINT")
      const starting = yield* Effect.fork(storeAt(place, { patience: 10_000 }))
      yield* server.start
      const store = yield* starting
      yield* store.add(alpha)
      for (const signal of ending) {
        yield* server.end(signal)
        const { problem } = yield* Effect.flip(store.find("alpha"))
        assert.match(problem, /nothing listens there|closed the connection|takes no connections/)
        yield* server.start
        assert.strictEqual((yield* store.find("alpha"))._tag, "Some")
        yield* store.kill("alpha")
      }
    }),
  )

  it.scopedLive("asks for a password and for TLS, and gets both as the URL says", () =>
    Effect.gen(function* () {
      const authority = yield* Authority.make()
      const identity = yield* authority.issue()
      const server = yield* PostgresServer.make()
      const database = yield* newDatabase(server)
      const { gid, uid } = statSync(server.data)
      for (const [name, text] of [
        ["server.crt", identity.cert],
        ["server.key", identity.key],
      ] as const) {
        const path = join(server.data, name)
        writeFileSync(path, text, { mode: 0o600 })
        chownSync(path, uid, gid)
      }
      yield* runIn(server, database, "CREATE ROLE pw LOGIN PASSWORD 'se:cret'", "GRANT CREATE ON SCHEMA public TO pw")
      yield* runIn(server, database, "ALTER SYSTEM SET ssl = on")
      yield* server.admits(["hostssl all pw all scram-sha-256", "hostnossl all pw all reject"])
      const place = placeAt(`postgres://pw:${encodeURIComponent("se:cret")}@localhost:${server.port}/${database}`)
      const withTls = (tls: Partial<PostgresPlace["tls"]>) => ({ ...place, tls: { ...place.tls, ...tls } })
      const opens = (place: PostgresPlace) => Effect.scoped(Effect.flatMap(storeAt(place), ({ count }) => count))

      assert.strictEqual(yield* opens(place), 0)
      assert.strictEqual(yield* opens(withTls({ mode: "require" })), 0)
      assert.strictEqual(yield* opens({ ...withTls({ mode: "require" }), channelBinding: "require" }), 0)
      assert.strictEqual(yield* opens(withTls({ mode: "verify-full", rootCert: authority.certFile })), 0)
      assert.include(yield* problemAt(withTls({ mode: "verify-full" })), "its certificate is not trusted")
      const other = yield* Authority.make()
      assert.include(
        yield* problemAt(withTls({ mode: "require", rootCert: other.certFile })),
        "its certificate is not trusted",
      )
      const wrongName = { ...withTls({ mode: "verify-full", rootCert: authority.certFile }) }
      assert.include(
        yield* problemAt({ ...wrongName, hosts: [{ host: "::ffff:127.0.0.1", port: server.port }] }),
        "certificate",
      )
      assert.include(yield* problemAt(withTls({ mode: "disable" })), "it does not let this user in")

      assert.include(yield* problemAt({ ...place, password: Redacted.make("secret") }), "it refuses the password")
      const file = yield* temporaryFile("pgpass")
      writeFileSync(file, `localhost:*:*:pw:se\\:cret\n`, { mode: 0o600 })
      assert.strictEqual(yield* opens({ ...place, password: undefined, passwordFile: file }), 0)
      chmodSync(file, 0o644)
      assert.include(
        yield* problemAt({ ...place, password: undefined, passwordFile: file }),
        "it asks for a password, and none was given",
      )
    }),
  )
})
