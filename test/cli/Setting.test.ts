import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Option } from "effect"
import { resolveDatabase } from "../../src/cli/Database.js"
import { settingOptions } from "../../src/cli/SettingOptions.js"
import { defaultSettings, type ProxySettings } from "../../src/domain/ProxyConfig.js"
import * as Setting from "../../src/domain/Reading.js"
import { settingRows } from "../../src/domain/Settings.js"
import { wsPathRule } from "../../src/domain/WebSocketSettings.js"
import { readOptions, withVariables } from "./Options.js"

/** Flags, by the names of their settings. */
const choice = (given: Partial<Record<keyof ProxySettings, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(given).map(([name, value]) => [settingRows[name]?.flag?.name ?? name, value]))

const resolveSettings = (flags: Readonly<Record<string, string>>) => readOptions(settingOptions, flags)

describe("the settings", () => {
  it.effect("are the defaults where nothing is given", () =>
    Effect.gen(function* () {
      expect(yield* withVariables({})(resolveSettings(choice({})))).toEqual(defaultSettings)
    }),
  )

  it.effect("come from a flag, else from its variable, else from the default", () =>
    Effect.gen(function* () {
      const settings = yield* resolveSettings(choice({ port: "9001", timeout: "0.5" })).pipe(
        withVariables({
          SS_PROXY_PORT: "9000",
          SS_PROXY_HOST: "[::1]",
          SS_PROXY_GRACE: "",
          SS_PROXY_LOG_QUERY: "drop",
        }),
      )
      expect(settings).toEqual({ ...defaultSettings, port: 9001, timeout: 500, host: "::1", logQuery: "drop" })
    }),
  )

  it.effect("hold the addresses that servers may have", () =>
    Effect.gen(function* () {
      const settings = yield* resolveSettings(choice({ denyDownstream: "10.0.0.0/8, ::1" })).pipe(
        withVariables({ SS_PROXY_ALLOW_DOWNSTREAM: "10.1.0.0/16", SS_PROXY_DENY_DOWNSTREAM: "192.0.2.0/24" }),
      )
      expect(settings).toEqual({
        ...defaultSettings,
        denyDownstream: ["10.0.0.0/8", "::1"],
        allowDownstream: ["10.1.0.0/16"],
      })
    }),
  )

  it.effect("hold those of connections to servers", () =>
    Effect.gen(function* () {
      const settings = yield* resolveSettings(choice({ maxDownstreamConnections: "500", queueTimeout: "0.5" })).pipe(
        withVariables({ SS_PROXY_MAX_DOWNSTREAM_PER_SESSION: "8", SS_PROXY_QUEUE_TIMEOUT: "3" }),
      )
      expect(settings).toEqual({
        ...defaultSettings,
        maxDownstreamConnections: 500,
        maxDownstreamConnectionsPerSession: 8,
        queueTimeout: 500,
      })
    }),
  )

  it.effect("hold those of WebSockets", () =>
    Effect.gen(function* () {
      const given = choice({ wsPing: "30", wsMaxMessage: "16m", maxWebSockets: "1000" })
      const settings = yield* resolveSettings(given).pipe(
        withVariables({
          SS_PROXY_WS_IDLE_TIMEOUT: "600",
          SS_PROXY_WS_MAX_LIFETIME: "86400",
          SS_PROXY_MAX_WEBSOCKETS_PER_SESSION: "50",
        }),
      )
      expect(settings).toEqual({
        ...defaultSettings,
        wsPing: 30_000,
        wsMaxMessage: 16_777_216,
        wsIdleTimeout: 600_000,
        wsMaxLifetime: 86_400_000,
        maxWebSockets: 1_000,
        maxWebSocketsPerSession: 50,
      })
    }),
  )

  it.effect("hold the limits for clients", () =>
    Effect.gen(function* () {
      const given = choice({
        maxHeaderBytes: "64K",
        maxTargetBytes: "8k",
        maxBodyBytes: "10m",
        headTimeout: "5",
        minRate: "1k",
      })
      const settings = yield* resolveSettings(given).pipe(
        withVariables({
          SS_PROXY_MAX_BODY: "1g",
          SS_PROXY_KEEP_ALIVE_TIMEOUT: "0",
          SS_PROXY_BODY_TIMEOUT: "0.5",
          SS_PROXY_SEND_TIMEOUT: "20",
          SS_PROXY_MAX_CONNECTIONS: "5000",
          SS_PROXY_MAX_CONNECTIONS_PER_CLIENT: "50",
          SS_PROXY_MAX_REQUESTS_PER_CONNECTION: "1000",
          SS_PROXY_MAX_REQUESTS_PER_SESSION: "8",
        }),
      )
      expect(settings).toEqual({
        ...defaultSettings,
        maxHeaderBytes: 65_536,
        maxTargetBytes: 8_192,
        maxBodyBytes: 10_485_760,
        headTimeout: 5_000,
        minRate: 1_024,
        keepAliveTimeout: 0,
        bodyTimeout: 500,
        sendTimeout: 20_000,
        maxConnections: 5_000,
        maxConnectionsPerClient: 50,
        maxRequestsPerConnection: 1_000,
        maxRequestsPerSession: 8,
      })
    }),
  )

  it.effect("refuse a head of no bytes", () =>
    Effect.gen(function* () {
      const refused = yield* Effect.flip(withVariables({ SS_PROXY_MAX_HEADER_SIZE: "0" })(resolveSettings(choice({}))))
      expect(refused.message).toBe(
        'SS_PROXY_MAX_HEADER_SIZE is "0"; it must be a whole number of bytes, such as 1048576, 512k, 16m or 1g, above 0',
      )
    }),
  )

  it.effect("do not look at a variable that a flag stands in for", () =>
    Effect.gen(function* () {
      const settings = yield* withVariables({ SS_PROXY_PORT: "abc" })(resolveSettings(choice({ port: "0" })))
      expect(settings.port).toBe(0)
    }),
  )

  it.effect("say which flag or variable has which bad value, and what is allowed", () =>
    Effect.gen(function* () {
      const byFlag = yield* Effect.flip(resolveSettings(choice({ timeout: "0" })))
      expect(byFlag.message).toMatch(/^--timeout is "0"; it must be a number of seconds above 0/)
      const byVariable = yield* Effect.flip(withVariables({ SS_PROXY_WS_PATH: "no" })(resolveSettings(choice({}))))
      expect(byVariable.message).toBe('SS_PROXY_WS_PATH is "no"; it must be one of append, full, strip')
      const byKubernetes = { SS_PROXY_PORT: "tcp://10.0.0.1:8080" }
      const ofService = yield* Effect.flip(withVariables(byKubernetes)(resolveSettings(choice({}))))
      expect(ofService.message).toMatch(/to 65535; Kubernetes sets it for a service of this name: .*enableServiceLinks/)
    }),
  )

  it.each([
    ["a port", Setting.portNumber, "65535", 65_535],
    ["a port of 0", Setting.portNumber, "0", 0],
    ["seconds", Setting.seconds, "1.5", 1500],
    ["no seconds", Setting.seconds, "0", 0],
    ["less than a millisecond, which is not never", Setting.positiveSeconds, "0.0001", 1],
    ["blocks", Setting.addressBlocks, "10.0.0.0/8, ::1,fd00::/8", ["10.0.0.0/8", "::1", "fd00::/8"]],
    ["a rule in capitals", wsPathRule, "FULL", "full"],
    ["a switch", Setting.onOrOff, "off", false],
    ["a host name", Setting.hostName, "localhost", "localhost"],
    ["bytes", Setting.byteSize, "1000", 1_000],
    ["bytes with a unit", Setting.byteSize, "16M", 16_777_216],
    ["a count", Setting.count, "0", 0],
  ])("read %s", (_, reading: Setting.Reading<unknown>, text, value) => {
    expect(reading.read(text)).toEqual(Option.some(value))
  })

  it.each([
    ["a port that is too large", Setting.portNumber, "65536"],
    ["bytes of a unit that is none", Setting.byteSize, "16mm"],
    ["bytes that nobody can count", Setting.byteSize, "99999999999g"],
    ["half a thing", Setting.count, "0.5"],
    ["a port that is no number", Setting.portNumber, "0x50"],
    ["a negative port", Setting.portNumber, "-1"],
    ["a time of two units", Setting.seconds, "5m30s"],
    ["a negative time", Setting.seconds, "-1"],
    ["a time no timer can wait", Setting.seconds, "1e9"],
    ["a time of nothing", Setting.seconds, "."],
    ["no time at all", Setting.positiveSeconds, "0"],
    ["a prefix that is too long", Setting.addressBlocks, "10.0.0.0/33"],
    ["a name in place of an address", Setting.addressBlocks, "localhost"],
    ["a host with a space", Setting.hostName, "a b"],
    ["a host with a port", Setting.hostName, "localhost:80"],
  ])("refuse %s", (_, reading: Setting.Reading<unknown>, text) => {
    expect(reading.read(text)).toEqual(Option.none())
  })
})

describe("the database", () => {
  const resolve = (flags: { dbPath?: string; db?: string }, variables: Readonly<Record<string, string>> = {}) =>
    resolveDatabase({ dbPath: Option.fromNullable(flags.dbPath), db: Option.fromNullable(flags.db) }).pipe(
      withVariables(variables),
      Effect.map(({ shown }) => shown),
      Effect.mapError(({ message }) => message),
      Effect.either,
    )

  it.effect("is chosen by flag, else by variable, else by default", () =>
    Effect.gen(function* () {
      const variables = { SS_PROXY_DB_PATH: "v.db" }
      expect(yield* resolve({})).toEqual(Either.right("./sessions.db"))
      expect(yield* resolve({}, variables)).toEqual(Either.right("v.db"))
      expect(yield* resolve({ dbPath: "f.db" }, variables)).toEqual(Either.right("f.db"))
      expect(yield* resolve({ db: "sqlite:u.db" }, variables)).toEqual(Either.right("u.db"))
      expect(yield* resolve({}, { SS_PROXY_DB: "sqlite:///var/u.db" })).toEqual(Either.right("/var/u.db"))
    }),
  )

  it.effect("may be given twice if both say the same", () =>
    Effect.gen(function* () {
      expect(yield* resolve({ db: "sqlite:a.db", dbPath: "a.db" })).toEqual(Either.right("a.db"))
      expect(yield* resolve({ db: "sqlite:a.db", dbPath: "b.db" })).toEqual(
        Either.left("--db says a.db and --db-path says b.db; give one of them"),
      )
    }),
  )

  it.effect("may be one of PostgreSQL, of which messages never show the password", () =>
    Effect.gen(function* () {
      expect(yield* resolve({ db: "postgresql://user:secret@host:5433,other/db" })).toEqual(
        Either.right("postgres://user@host:5433,other/db"),
      )
      expect(yield* resolve({}, { SS_PROXY_DB: "postgres://user:secret@host/db" })).toEqual(
        Either.right("postgres://user@host/db"),
      )
      expect(yield* resolve({ db: "postgres://user:secret@host/db", dbPath: "a.db" })).toEqual(
        Either.left("--db says postgres://user@host/db and --db-path says a.db; give one of them"),
      )
      const refused = yield* resolve({ db: "postgres://user:sec#ret@host/db" })
      expect(Either.getOrThrow(Either.flip(refused))).toMatch(/^--db is no URL of a PostgreSQL database: [^#]*# % or a/)
    }),
  )

  it.effect("is refused where it is another, without showing a password", () =>
    Effect.gen(function* () {
      const uses = "it is no database URL, use sqlite:PATH or postgres://USER@HOST/DATABASE"
      expect(yield* resolve({ db: "mysql://user:secret@host/db" })).toEqual(
        Either.left(`--db is "***@host/db"; ${uses}`),
      )
      expect(yield* resolve({ db: "a.db" })).toEqual(Either.left(`--db is "a.db"; ${uses}`))
      expect(yield* resolve({ dbPath: "" })).toEqual(Either.left("--db-path is empty; it must be a path"))
    }),
  )
})
