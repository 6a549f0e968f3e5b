import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer, type Scope } from "effect"
import { startFeed } from "../../../src/sessions/postgres/PostgresFeed.js"
import { layerPostgres } from "../../../src/sessions/postgres/PostgresSessionRepo.js"
import { eventually } from "../../support/Changes.js"
import { fairNow } from "../../support/FairClock.js"
import { describeUnless } from "../../support/LeftOut.js"
import { lackingPostgres, newDatabase, PostgresServer, runIn, urlOf } from "../../support/PostgresServer.js"
import { Relay } from "../../support/Relay.js"
import { openWs } from "../../support/WsPeer.js"
import { WsOrigin } from "../../support/WsOrigin.js"
import { asked, named, placeOf, quick, startOn } from "./ProxiesOnPostgres.js"

const insert = (id: string, url: string) =>
  `INSERT INTO sessions (session_id, downstream_server_url, downstream_server_status) VALUES ('${id}', '${url}', 'active')`

/** How a database goes away, and how it comes back. */
interface Outage {
  readonly name: string
  readonly begin: (server: PostgresServer, relay: Relay) => Effect.Effect<void>
  readonly end: (server: PostgresServer, relay: Relay) => Effect.Effect<void>
}

const outages: ReadonlyArray<Outage> = [
  { name: "is stopped", begin: (server) => server.end("SIGINT"), end: (server) => server.start },
  { name: "crashes", begin: (server) => server.end("SIGKILL"), end: (server) => server.start },
  {
    name: "is behind a network that drops all",
    begin: (_, relay) => Effect.sync(() => relay.freeze()),
    end: (_, relay) => Effect.sync(() => relay.thaw()),
  },
]

type Sql = (...statements: ReadonlyArray<string>) => ReturnType<typeof runIn>

/** Lets a database have what is written in another one, on the same server: a slot must be there before, else both wait. */
const replicate = (
  { folder, port }: PostgresServer,
  from: { readonly name: string; readonly sql: Sql },
  to: Sql,
): Effect.Effect<void, Error, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      yield* from.sql(
        "CREATE PUBLICATION everything FOR ALL TABLES",
        "SELECT pg_create_logical_replication_slot('to_other', 'pgoutput')",
      )
      yield* to(
        `CREATE SUBSCRIPTION everything CONNECTION 'host=${folder} port=${port} user=tester dbname=${from.name}'
          PUBLICATION everything WITH (create_slot = false, slot_name = 'to_other')`,
      )
    }),
    () => Effect.orDie(to("DROP SUBSCRIPTION everything")),
  )

/** One for all tests here, with a database for each. */
class TheServer extends Context.Tag("test/TheServer")<TheServer, PostgresServer>() {}

describeUnless(lackingPostgres)("proxies over PostgreSQL", () => {
  layer(Layer.scoped(TheServer, PostgresServer.make(["wal_level=logical"])), { excludeTestServices: true })((it) => {
    it.scoped("have what anybody commits in force, each of them, and end what hangs on it", () =>
      Effect.gen(function* () {
        const server = yield* TheServer
        const database = yield* newDatabase(server)
        const sql = (...statements: ReadonlyArray<string>) => runIn(server, database, ...statements)
        const [one, other] = [yield* named("one"), yield* named("other")]
        const proxies = yield* Effect.all(Array.from({ length: 3 }, () => startOn(urlOf(server, database))))
        const everywhere = (path: string, expected: { readonly status: number; readonly text?: string }) =>
          Effect.forEach(proxies, ({ url }) =>
            eventually(
              Effect.map(
                asked(url, path),
                ({ status, text }) => status === expected.status && text.includes(expected.text ?? ""),
              ),
              `${expected.status} ${expected.text ?? ""} at ${path}`,
            ),
          )

        yield* everywhere("/alice/", { status: 404 })
        yield* sql(insert("alice", one.url))
        yield* everywhere("/alice/", { status: 200, text: "one" })
        yield* sql(`UPDATE sessions SET downstream_server_url = '${other.url}' WHERE session_id = 'alice'`)
        yield* everywhere("/alice/", { status: 200, text: "other" })
        yield* sql("INSERT INTO session_policies (session_id, ws_path) VALUES ('alice', 'sideways')")
        yield* everywhere("/alice/", { status: 502, text: "session_policy_invalid" })
        yield* sql("TRUNCATE sessions")
        yield* everywhere("/alice/", { status: 404 })

        // A kill, on a connection where no request comes.
        const echo = yield* WsOrigin.start()
        yield* sql(insert("bob", echo.url))
        const sockets = yield* Effect.forEach(proxies, ({ url }) => openWs(`${url.replace("http", "ws")}/bob/`))
        yield* proxies[0]?.repo.kill("bob", { code: 4_000, reason: "enough" }) ?? Effect.void
        for (const socket of sockets) assert.strictEqual((yield* socket.closed).code, 4_000)
      }),
    )

    it.scoped("do not start where no notice arrives, as through a pooler", () =>
      Effect.gen(function* () {
        const server = yield* TheServer
        const place = placeOf(urlOf(server, yield* newDatabase(server)))
        // Notices stay in their database.
        const listenPlace = placeOf(urlOf(server, yield* newDatabase(server)))
        const error = yield* Effect.flip(startFeed({ place, listenPlace, times: { answer: 300 } }))
        assert.include(error.problem, "does not arrive")
        assert.include(error.hint, "--db-listen")
      }),
    )

    it.scoped("find what was changed with the triggers off", () =>
      Effect.gen(function* () {
        const server = yield* TheServer
        const database = yield* newDatabase(server)
        const [one, other] = [yield* named("one"), yield* named("other")]
        const proxy = yield* startOn(urlOf(server, database), { times: { ...quick, safetyNet: 200 } })
        yield* runIn(server, database, insert("alice", one.url))
        yield* eventually(
          Effect.map(asked(proxy.url, "/alice/"), ({ text }) => text === "one"),
          "the session",
        )
        yield* runIn(
          server,
          database,
          "ALTER TABLE sessions DISABLE TRIGGER USER",
          `UPDATE sessions SET downstream_server_url = '${other.url}'`,
        )
        yield* eventually(
          Effect.map(asked(proxy.url, "/alice/"), ({ text }) => text === "other"),
          "the change",
        )
      }),
    )

    it.scoped("notice that another program has made a table again, which tells of nothing", () =>
      Effect.gen(function* () {
        const server = yield* TheServer
        const database = yield* newDatabase(server)
        const sql = (...statements: ReadonlyArray<string>) => runIn(server, database, ...statements)
        const one = yield* named("one")
        const proxy = yield* startOn(urlOf(server, database), { times: { ...quick, safetyNet: 200 } })
        const has = (id: string, expected: string) =>
          eventually(
            Effect.map(asked(proxy.url, `/${id}/`), ({ text }) => text.includes(expected)),
            `${expected} at ${id}`,
          )
        // The server counts the rows of the new table from nothing: far fewer than were ever told.
        for (let at = 0; at < 20; at += 1) yield* sql(insert(`alice-${at}`, one.url))
        yield* has("alice-0", "one")
        yield* sql(
          "CREATE TABLE moved (LIKE sessions INCLUDING ALL)",
          "DROP TABLE sessions",
          "ALTER TABLE moved RENAME TO sessions",
          insert("bob", one.url),
        )
        yield* has("alice-0", "session_not_found")
        yield* has("bob", "one")
        yield* sql("UPDATE sessions SET downstream_server_status = 'stopped'")
        yield* has("bob", "session_unavailable")
      }),
    )

    it.scoped("find what was written into a part of a partitioned table itself", () =>
      Effect.gen(function* () {
        const server = yield* TheServer
        const database = yield* newDatabase(server)
        const sql = (...statements: ReadonlyArray<string>) => runIn(server, database, ...statements)
        const [one, other] = [yield* named("one"), yield* named("other")]
        yield* sql(
          "CREATE SEQUENCE row_ids",
          `CREATE TABLE sessions (session_id text COLLATE "C" PRIMARY KEY, downstream_server_url text NOT NULL,
            downstream_server_status text NOT NULL, created_at timestamptz DEFAULT now(),
            updated_at timestamptz DEFAULT now(), row_id bigint DEFAULT nextval('row_ids')) PARTITION BY HASH (session_id)`,
          "CREATE TABLE part PARTITION OF sessions FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
        )
        const proxy = yield* startOn(urlOf(server, database), { times: { ...quick, safetyNet: 200 } })
        const has = (expected: string) =>
          eventually(
            Effect.map(asked(proxy.url, "/alice/"), ({ text }) => text === expected),
            expected,
          )
        yield* sql(insert("alice", one.url))
        yield* has("one")
        yield* sql(`UPDATE part SET downstream_server_url = '${other.url}'`)
        yield* has("other")
      }),
    )

    it.scoped("hear of what logical replication brings as soon as of what is written there", () =>
      Effect.gen(function* () {
        const server = yield* TheServer
        const [from, to] = [yield* newDatabase(server), yield* newDatabase(server)]
        const sqlIn =
          (database: string): Sql =>
          (...statements) =>
            runIn(server, database, ...statements)
        const write = sqlIn(from)
        const [one, other] = [yield* named("one"), yield* named("other")]
        yield* Layer.build(layerPostgres({ place: placeOf(urlOf(server, from)) }))
        // The look at the counters comes too late.
        const proxy = yield* startOn(urlOf(server, to), { times: { ...quick, safetyNet: 3_600_000 } })
        const hears = (expected: string) =>
          eventually(
            Effect.map(asked(proxy.url, "/alice/"), ({ text }) => text.includes(expected)),
            expected,
          )
        yield* hears("session_not_found")
        yield* write(insert("alice", one.url))
        yield* replicate(server, { name: from, sql: write }, sqlIn(to))
        yield* hears("one")
        yield* write(`UPDATE sessions SET downstream_server_url = '${other.url}'`)
        yield* hears("other")
        yield* write("INSERT INTO session_policies (session_id, ws_path) VALUES ('alice', 'sideways')")
        yield* hears("session_policy_invalid")
        yield* write("DELETE FROM session_policies")
        yield* hears("other")
        yield* write("TRUNCATE sessions")
        yield* hears("session_not_found")
      }),
    )

    for (const { begin, end, name } of outages) {
      it.scoped(`sessions that are known go on while it ${name}, others are refused, and then all is as it says`, () =>
        Effect.gen(function* () {
          const server = yield* TheServer
          const database = yield* newDatabase(server)
          const relay = yield* Relay.to(server.port)
          const [one, other] = [yield* named("one"), yield* named("other")]
          const echo = yield* WsOrigin.start()
          const proxy = yield* startOn(urlOf({ ...server, port: relay.port }, database))
          const hears = (path: string, expected: string) =>
            eventually(
              Effect.map(asked(proxy.url, path), ({ text }) => text.includes(expected)),
              `${expected} at ${path}`,
            )
          const before = yield* proxy.repo.version()
          for (const session of [insert("alice", one.url), insert("bob", echo.url), insert("carol", one.url)])
            yield* runIn(server, database, session)
          // A session that is named as changed after it was read is not known while the database is away.
          yield* eventually(
            Effect.sync(() => proxy.repo.changes?.(before)?.length === 3),
            "the notices of three sessions",
          )
          yield* hears("/alice/", "one")
          const socket = yield* openWs(`${proxy.url.replace("http", "ws")}/bob/`)
          assert.deepInclude(yield* proxy.repo.find("alice"), { _tag: "Some" })

          yield* begin(server, relay)
          const isNoticed = Effect.map(asked(proxy.url, "/alice/"), (answer) => {
            assert.deepStrictEqual(answer, { status: 200, text: "one" })
            return proxy.log.some((line) => line.includes("go on unchecked"))
          })
          yield* eventually(isNoticed, "the outage to be noticed")
          const askedAt = fairNow()
          const refused = yield* asked(proxy.url, "/carol/")
          assert.strictEqual(refused.status, 503)
          assert.include(refused.text, "store_unavailable")
          assert.isBelow(fairNow() - askedAt, 400)
          assert.match(yield* proxy.metrics, /ss_proxy_directory_age_seconds \d/)
          yield* end(server, relay)
          yield* runIn(
            server,
            database,
            `UPDATE sessions SET downstream_server_url = '${other.url}' WHERE session_id = 'alice'`,
          )
          yield* hears("/carol/", "one")
          yield* hears("/alice/", "other")
          assert.isTrue(socket.isOpen)
          yield* runIn(server, database, "DELETE FROM sessions")
          yield* socket.closed
          yield* hears("/alice/", "session_not_found")
        }),
      )
    }
  })
})
