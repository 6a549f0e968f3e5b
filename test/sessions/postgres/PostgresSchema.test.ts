import { assert, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { Client } from "pg"
import { channelOf, identifier } from "../../../src/sessions/postgres/PostgresSchema.js"
import { layerPostgres } from "../../../src/sessions/postgres/PostgresSessionRepo.js"
import { SessionRepo } from "../../../src/sessions/SessionRepo.js"
import { describeUnless } from "../../support/LeftOut.js"
import { lackingPostgres, urlOf } from "../../support/PostgresServer.js"
import { placeAt, type TestDatabase, testDatabase } from "../../support/SharedPostgres.js"

const alpha = { id: "alpha", url: "http://127.0.0.1:9001", status: "active" }

/** A store, and what it says of its sessions. */
const storeAt = (url: string, options: { readonly readonly?: boolean } = {}) =>
  Effect.map(Layer.build(layerPostgres({ place: placeAt(url), ...options })), (context) =>
    Effect.runSync(Effect.provide(SessionRepo, context)),
  )

const idsIn = (payload: string): ReadonlyArray<string> => {
  const ids: ReadonlyArray<string> = JSON.parse(payload)
  return ids.toSorted()
}

/** The notices that come while something is done, each as the ids that it names, or `*`. */
const noticesOf = <A, E>({ name, server }: TestDatabase, schema: string, change: Effect.Effect<A, E>) =>
  Effect.acquireUseRelease(
    Effect.promise(async () => {
      const client = new Client({ host: server.folder, port: server.port, user: "tester", database: name })
      await client.connect()
      await client.query(`LISTEN ${identifier(channelOf(schema))}`)
      return client
    }),
    (client) =>
      Effect.gen(function* () {
        const heard: Array<unknown> = []
        client.on("notification", ({ payload = "" }) => heard.push(payload === "*" ? "*" : idsIn(payload)))
        yield* change
        // What was committed before is told before this is answered.
        yield* Effect.promise(() => client.query("SELECT 1"))
        return heard
      }),
    (client) => Effect.promise(() => client.end()),
  )

/** How many triggers fire always, and how many for what is written as a replica alone. */
const firings = (run: TestDatabase["run"]) =>
  run("SELECT tgenabled::text AS fires, count(*)::int AS count FROM pg_trigger GROUP BY 1 ORDER BY 1")
const allFirings = [
  { fires: "A", count: 12 },
  { fires: "R", count: 9 },
]

describeUnless(lackingPostgres)("the tables in PostgreSQL", () => {
  it.scopedLive("are made by one of many proxies that start at once on an empty database", () =>
    Effect.gen(function* () {
      const { run, url } = yield* testDatabase()
      const stores = yield* Effect.all(
        Array.from({ length: 20 }, () => storeAt(url)),
        { concurrency: "unbounded" },
      )
      yield* Effect.forEach(stores, (store, at) => store.add({ ...alpha, id: `from-${at}` }), { concurrency: 5 })
      assert.strictEqual(yield* stores[0]?.count ?? Effect.succeed(0), 20)
      assert.deepStrictEqual(yield* firings(run), allFirings)
    }),
  )

  it.scopedLive("tell the ids of every change, by whomever it is, and of nothing else", () =>
    Effect.gen(function* () {
      const database = yield* testDatabase()
      const { run } = database
      const store = yield* storeAt(database.url)
      const notices = <A, E>(change: Effect.Effect<A, E>) => noticesOf(database, "public", change)
      const insert = "INSERT INTO sessions (session_id, downstream_server_url, downstream_server_status)"
      assert.deepStrictEqual(
        yield* notices(run(`${insert} VALUES ('b', 'http://h', 'x'), ('a"\n', 'http://h', 'x')`)),
        [['a"\n', "b"]],
      )
      assert.deepStrictEqual(yield* notices(run("UPDATE sessions SET downstream_server_status = 'active'")), [
        ['a"\n', "b"],
      ])
      // Nothing that a proxy goes by.
      assert.deepStrictEqual(
        yield* notices(
          run("UPDATE sessions SET updated_at = now()", "ALTER TABLE sessions ADD COLUMN seen timestamptz"),
        ),
        [],
      )
      assert.deepStrictEqual(
        yield* notices(
          run("UPDATE sessions SET seen = now()", "UPDATE sessions SET downstream_server_status = 'active'"),
        ),
        [],
      )
      assert.deepStrictEqual(
        yield* notices(
          run(
            "UPDATE sessions SET downstream_server_url = 'http://i' WHERE session_id = 'b'",
            "DELETE FROM sessions WHERE false",
          ),
        ),
        [["b"]],
      )
      assert.deepStrictEqual(yield* notices(store.kill("b")), [["b"]])
      assert.deepStrictEqual(yield* notices(store.drain("b", 1_000)), [["b"]])
      assert.deepStrictEqual(yield* notices(store.set("b", { policy: { insecure: true } })), [["b"]])
      assert.deepStrictEqual(yield* notices(store.set("b", { policy: { insecure: true } })), [])
      assert.deepStrictEqual(yield* notices(run("UPDATE session_control SET kills = kills + 1")), [["b"]])
      assert.deepStrictEqual(yield* notices(run("DELETE FROM session_control")), [["b"]])
      assert.deepStrictEqual(yield* notices(run("TRUNCATE sessions")), ["*"])
    }),
  )

  it.scopedLive("tell of many ids, or long ones, by one short notice for all", () =>
    Effect.gen(function* () {
      const database = yield* testDatabase()
      yield* storeAt(database.url)
      const insert = (from: number, to: number, id: string) =>
        `INSERT INTO sessions (session_id, downstream_server_url, downstream_server_status)
          SELECT ${id}, 'http://h', 'active' FROM generate_series(${from}, ${to}) AS n`
      const notices = (...statements: ReadonlyArray<string>) =>
        noticesOf(database, "public", database.run(...statements))
      const [ids] = yield* notices(insert(1, 200, "n::text"))
      assert.lengthOf(Array.isArray(ids) ? ids : [], 200)
      assert.deepStrictEqual(yield* notices(insert(201, 401, "n::text")), ["*"])
      assert.deepStrictEqual(yield* notices(insert(1, 8, "repeat('x', 1000) || n")), ["*"])
      const [long] = yield* notices(insert(1, 7, "repeat('y', 1000) || n"))
      assert.lengthOf(Array.isArray(long) ? long : [], 7)
      // One transaction, any number of statements.
      const each = Array.from({ length: 50 }, (_, at) => insert(500 + at, 500 + at, "n::text"))
      const told = yield* notices("BEGIN", ...each, "COMMIT")
      assert.strictEqual(told.flat().length, 50)
    }),
  )

  it.scopedLive("tell of each row once where rows are written as a replica, and of many by one notice for all", () =>
    Effect.gen(function* () {
      const database = yield* testDatabase()
      yield* storeAt(database.url)
      const insert = (to: number) =>
        `INSERT INTO sessions (session_id, downstream_server_url, downstream_server_status)
          SELECT n, 'http://h', 'active' FROM generate_series(1, ${to}) AS n ON CONFLICT DO NOTHING`
      const notices = (...statements: ReadonlyArray<string>) =>
        noticesOf(database, "public", database.run("SET session_replication_role = replica", ...statements))
      assert.deepStrictEqual(yield* notices(insert(2)), [["1"], ["2"]])
      assert.deepStrictEqual(yield* notices("UPDATE sessions SET session_id = 'x' WHERE session_id = '1'"), [
        ["1", "x"],
      ])
      assert.deepStrictEqual(yield* notices("UPDATE sessions SET updated_at = now()"), [])
      assert.deepStrictEqual(yield* notices("DELETE FROM sessions WHERE session_id = 'x'"), [["x"]])
      assert.deepStrictEqual(yield* notices("TRUNCATE sessions"), ["*"])
      const many = yield* notices(insert(1_000), "DELETE FROM sessions WHERE session_id = '7'")
      assert.strictEqual(many.length, 202)
      assert.deepStrictEqual(many.slice(199), [["200"], "*", ["7"]])
    }),
  )

  it.scopedLive("may be in a schema of their own, with a channel of their own", () =>
    Effect.gen(function* () {
      const database = yield* testDatabase()
      yield* database.run('CREATE SCHEMA "my ""schema"')
      const store = yield* storeAt(`${database.url}?schema=${encodeURIComponent('my "schema')}`)
      yield* storeAt(database.url)
      assert.deepStrictEqual(yield* noticesOf(database, 'my "schema', store.add(alpha)), [["alpha"]])
      assert.deepStrictEqual(yield* noticesOf(database, "public", store.remove("alpha")), [])
    }),
  )

  it.scopedLive("serve a role that may not make them, where they are there, and else it says who may", () =>
    Effect.gen(function* () {
      const database = yield* testDatabase()
      const role = `reader_${database.name}`
      yield* database.run(`CREATE ROLE ${role} LOGIN`, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
      const url = urlOf(database.server, database.name, role)
      const { hint, problem } = yield* Effect.flip(Effect.scoped(storeAt(url)))
      assert.include(problem, "lacks the table sessions")
      assert.include(problem, "this role may not make that")
      assert.include(hint, 'GRANT CREATE ON SCHEMA "public"')
      yield* storeAt(database.url)
      const refused = yield* Effect.flip(Effect.flatMap(storeAt(url), ({ count }) => count))
      assert.include(refused.problem, "does not allow this role to do that")
      yield* database.run(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${role}`)
      const store = yield* storeAt(url)
      assert.deepStrictEqual(yield* noticesOf(database, "public", store.add(alpha)), [["alpha"]])

      // As after an upgrade: what is missing belongs to tables of another, and no right in the schema is enough.
      yield* database.run(
        "DROP TRIGGER ss_proxy_replica_delete ON sessions",
        `GRANT CREATE ON SCHEMA public TO ${role}`,
      )
      const upgraded = yield* Effect.flip(Effect.scoped(storeAt(url)))
      assert.include(upgraded.problem, "lacks the trigger ss_proxy_replica_delete of sessions, and this role may not")
      assert.include(upgraded.hint, "as the role that owns the tables")
      assert.notInclude(upgraded.hint, "let this role")
    }),
  )

  it.scopedLive("are brought up to date where an earlier version made them, or somebody switched something off", () =>
    Effect.gen(function* () {
      const { run, url } = yield* testDatabase()
      yield* storeAt(url)
      yield* run(
        "ALTER TABLE session_policies DROP COLUMN set_fields",
        "ALTER TABLE sessions DISABLE TRIGGER ss_proxy_update",
        "DROP TRIGGER ss_proxy_insert ON session_control",
        // As versions had it that had no triggers for rows.
        "DROP TRIGGER ss_proxy_replica_delete ON sessions",
        "ALTER TABLE sessions ENABLE TRIGGER ss_proxy_replica_update",
        "DROP FUNCTION ss_proxy_tell_all CASCADE",
        "CREATE OR REPLACE FUNCTION ss_proxy_tell_rows() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
      )
      const store = yield* storeAt(url)
      assert.deepStrictEqual(yield* firings(run), allFirings)
      yield* store.add({ ...alpha, policy: { setFields: { A: "b" } } })
      assert.deepStrictEqual(Option.getOrThrow(yield* store.find("alpha")).session.policy.setFields, { A: "b" })
    }),
  )

  const others: ReadonlyArray<readonly [what: string, statement: string, problem: string]> = [
    ["a view", "CREATE VIEW sessions AS SELECT 1 AS session_id", "is no ordinary table"],
    [
      "a missing column",
      "CREATE TABLE sessions (session_id text PRIMARY KEY)",
      "lacks the column downstream_server_url",
    ],
    [
      "a number as the id",
      "CREATE TABLE sessions (session_id bigint PRIMARY KEY, downstream_server_url text)",
      "has a column session_id of the type int8",
    ],
    [
      "times without a zone",
      `CREATE TABLE sessions (session_id text PRIMARY KEY, downstream_server_url text, downstream_server_status text,
        created_at timestamp, updated_at timestamp)`,
      "has a column created_at of the type timestamp, which must be one of timestamptz",
    ],
    [
      "no incarnation",
      `CREATE TABLE sessions (session_id text PRIMARY KEY, downstream_server_url text, downstream_server_status text,
        created_at timestamptz, updated_at timestamptz)`,
      "lacks the column row_id",
    ],
    [
      "no key",
      `CREATE TABLE sessions (session_id text, downstream_server_url text, downstream_server_status text,
        created_at timestamptz, updated_at timestamptz, row_id bigint)`,
      "may have an id twice",
    ],
    [
      "a column that demands a value",
      `CREATE TABLE sessions (session_id text PRIMARY KEY, downstream_server_url text, downstream_server_status text,
        created_at timestamptz, updated_at timestamptz, row_id bigint GENERATED ALWAYS AS IDENTITY, owner text NOT NULL)`,
      "demands a value for the column owner",
    ],
  ]

  it.scopedLive.each(others)("are not taken for %s of another program", ([, statement, problem]) =>
    Effect.gen(function* () {
      const { run, url } = yield* testDatabase()
      yield* run(statement)
      assert.include((yield* Effect.flip(Effect.scoped(storeAt(url)))).problem, problem)
    }),
  )

  it.scopedLive("may be another program's, with columns of its own and rows that have no values", () =>
    Effect.gen(function* () {
      const { run, url } = yield* testDatabase()
      yield* run(
        `CREATE TABLE sessions (owner text DEFAULT 'me', session_id varchar(80) UNIQUE NOT NULL, downstream_server_url varchar,
          downstream_server_status text, created_at timestamptz DEFAULT now(), updated_at timestamptz)`,
        "ALTER TABLE sessions ADD COLUMN row_id bigint GENERATED BY DEFAULT AS IDENTITY",
        "INSERT INTO sessions (session_id) VALUES ('bare')",
      )
      const store = yield* storeAt(url)
      const { session } = Option.getOrThrow(yield* store.find("bare"))
      assert.deepInclude(session, { id: "bare", url: "", status: "", updatedAt: null })
      yield* store.put({ ...alpha, id: "bare" })
      yield* store.add(alpha)
      assert.deepStrictEqual(
        (yield* store.list).map(({ id }) => id),
        ["alpha", "bare"],
      )
      assert.strictEqual((yield* run("SELECT owner FROM sessions WHERE session_id = 'alpha'"))[0]?.["owner"], "me")
    }),
  )

  it.scopedLive("are only read where nothing may be made", () =>
    Effect.gen(function* () {
      const { run, url } = yield* testDatabase()
      const { problem } = yield* Effect.flip(Effect.scoped(storeAt(url, { readonly: true })))
      assert.include(problem, "lacks the table sessions")
      assert.lengthOf(yield* run("SELECT 1 FROM pg_class WHERE relname = 'sessions'"), 0)
      yield* storeAt(url)
      assert.strictEqual(yield* Effect.flatMap(storeAt(url, { readonly: true }), ({ count }) => count), 0)
    }),
  )
})
