import { Cause, Context, Effect, Exit, Layer, ManagedRuntime, Option } from "effect"
import { AdminServer, layerAdmin } from "../admin/AdminServer.js"
import { ProxyConfig, SettingsError } from "../domain/ProxyConfig.js"
import type { ProxySettings } from "../domain/Settings.js"
import { RequestHooks } from "../http/RequestHooks.js"
import { localUrl } from "../server/Listening.js"
import { layerProxy } from "../server/Proxy.js"
import { ProxyServer } from "../server/ProxyServer.js"
import { databaseUrlForms, isPostgresUrl, sqlitePathOf } from "../sessions/DatabaseUrl.js"
import { layerMemory } from "../sessions/MemorySessionRepo.js"
import { layerPostgres, layerPostgresActivity } from "../sessions/postgres/LazyPostgres.js"
import { SessionRepo } from "../sessions/SessionRepo.js"
import { layerSqlite as layerSqliteActivity } from "../sessions/sqlite/SqliteActivityStore.js"
import { layerSqlite } from "../sessions/sqlite/SqliteSessionRepo.js"
import { Taps } from "../telemetry/RecordTaps.js"
import { type EmbeddedProxy, RunningProxy } from "./EmbeddedProxy.js"
import { layerLookUp, type LookUp } from "./LookUpStore.js"
import { ProxyEvents } from "./ProxyEvents.js"
import { hookOf, type OnRequest } from "./ProxyHook.js"
import { layerLog, type LogLine, tellLog } from "./ProxyLog.js"
import { type SessionInput, sessionOf } from "./SessionInput.js"

/** Where sessions come from: one of these. With none of them, there are no sessions until `proxy.sessions.set` makes some. */
export interface SessionOptions {
  /** Sessions in memory, by their ids: a URL, or more than that. */
  readonly sessions?: Readonly<Record<string, SessionInput | string>>
  /** A database, as `ss-proxy run --db` takes it: `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/DATABASE`. */
  readonly database?: string
  /** A function of the program. */
  readonly lookUp?: LookUp
  /** For how many milliseconds what `lookUp` says holds; 1,000 unless said otherwise. */
  readonly lookUpEvery?: number
}

/** What `createProxy` takes: where sessions come from, what the program wants to decide and hear, and any setting of the proxy. */
export interface ProxyOptions extends SessionOptions, Partial<Omit<ProxySettings, "traces">> {
  /** Decides on every request, and every WebSocket handshake, when its session is known and before its server is asked. */
  readonly onRequest?: OnRequest
  /** Takes the lines of the log. Without it, nothing is logged. */
  readonly log?: (line: LogLine) => void
  /** Aborting it gives up the start, or closes the proxy that runs. */
  readonly signal?: AbortSignal
}

type StoreLayer = Layer.Layer<SessionRepo, unknown>

/** Sessions in memory. Each is checked, as the command line would. */
const inMemory = (sessions: NonNullable<SessionOptions["sessions"]>): StoreLayer => {
  const given = Object.entries(sessions).map(([id, session]) => sessionOf(id, session))
  return Layer.tap(layerMemory(), (context) => Context.get(context, SessionRepo).addAll(given, { replace: false }))
}

/** Sessions in a database, and when they were last active there, as the command line has both. */
const inDatabase = (database: string, { idCase = "exact" }: Partial<ProxySettings>): StoreLayer => {
  const filename = sqlitePathOf(database)
  if (filename !== undefined)
    return Layer.merge(layerSqlite({ filename, idCase }), layerSqliteActivity({ sessions: filename }))
  if (isPostgresUrl(database))
    return Layer.merge(layerPostgres({ database, idCase }), layerPostgresActivity({ database }))
  // Its text is not shown: nobody knows what of it is a password.
  const problem = `is no database URL; use ${databaseUrlForms}`
  return Layer.fail(new SettingsError({ setting: "database", problem }))
}

const storeOf = (options: SessionOptions & Partial<ProxySettings>): StoreLayer => {
  const { database, lookUp, lookUpEvery = 1_000, sessions } = options
  if ([database, lookUp, sessions].filter((source) => source !== undefined).length > 1)
    return Layer.fail(
      new SettingsError({ setting: "sessions", problem: "excludes database and lookUp: give one of them" }),
    )
  if (!(lookUpEvery >= 1))
    return Layer.fail(
      new SettingsError({ setting: "lookUpEvery", problem: "must be a number of milliseconds from 1 on" }),
    )
  if (lookUp !== undefined) return layerLookUp(lookUp, lookUpEvery)
  return database === undefined ? inMemory(sessions ?? {}) : inDatabase(database, options)
}

/** The settings among the options. */
const settingsOf = (options: ProxyOptions): Partial<ProxySettings> => {
  const {
    database: _1,
    log: _2,
    lookUp: _3,
    lookUpEvery: _4,
    onRequest: _5,
    sessions: _6,
    signal: _7,
    ...settings
  } = options
  return settings
}

/** Whether somebody asks for the admin listener. In a program, `auto` means no socket. */
const hasAdmin = ({ adminPort = "off", adminSocket = "auto" }: ProxyOptions): boolean =>
  adminPort !== "off" || (adminSocket !== "auto" && adminSocket !== "off")

/** All of the proxy. What nobody asked for is not in it. */
const layerOf = (options: ProxyOptions): Layer.Layer<ProxyServer | SessionRepo, unknown> => {
  const { log, onRequest } = options
  const proxy = hasAdmin(options) ? Layer.provideMerge(layerAdmin, layerProxy) : layerProxy
  const hooked = onRequest === undefined ? proxy : Layer.provide(proxy, RequestHooks.layer(hookOf(onRequest)))
  return hooked.pipe(
    Layer.provideMerge(storeOf(options)),
    Layer.provideMerge(ProxyConfig.layer(settingsOf(options))),
    Layer.provideMerge(layerLog(log)),
  )
}

const adminUrlOf = (admin: Option.Option<typeof AdminServer.Service>): string | undefined => {
  const address = Option.getOrUndefined(admin)?.address
  return address === undefined ? undefined : localUrl(address)
}

/** Tells the log what a listener threw. */
const listenerFailed =
  (log: ProxyOptions["log"]) =>
  (thrown: unknown): void => {
    const cause = thrown instanceof Error ? thrown.stack : String(thrown)
    const line: LogLine = {
      time: new Date(),
      level: "error",
      message: "a listener of the proxy failed",
      fields: {},
      cause,
    }
    if (log !== undefined) tellLog(log, line)
  }

/** Closes the proxy when the signal is aborted, for as long as it runs. */
const closeBy = (signal: AbortSignal, proxy: EmbeddedProxy, failed: (thrown: unknown) => void): void => {
  const close = () => void proxy.close().catch(failed)
  signal.addEventListener("abort", close, { once: true })
  proxy.on("close", () => signal.removeEventListener("abort", close))
}

/**
 * Starts a proxy, for a program without Effect. It listens when the promise is fulfilled. The promise rejects with the error
 * itself, a tagged one whose message says what to do: `ListenError`, `SettingsError`, `SessionInvalid`, `StoreUnavailable` …;
 * where `signal` is aborted, with its reason. Nothing is global: a program may have as many proxies as it likes. None of
 * it keeps the process alive once it is closed.
 *
 * @example
 * ```ts
 * import { createProxy } from "ss-proxy"
 *
 * const proxy = await createProxy({ sessions: { alice: "http://127.0.0.1:9000" }, host: "127.0.0.1", port: 0 })
 * console.log(proxy.url.startsWith("http://127.0.0.1:"))
 * // prints: true
 * await proxy.sessions.set("bob", "http://127.0.0.1:9001")
 * console.log((await proxy.sessions.list()).map(({ id }) => id).join(" "))
 * // prints: alice bob
 * await proxy.close()
 * ```
 */
export const createProxy = async (options: ProxyOptions = {}): Promise<EmbeddedProxy> => {
  const { log, signal } = options
  signal?.throwIfAborted()
  const failed = listenerFailed(log)
  const runtime = ManagedRuntime.make(layerOf(options))
  const start = Effect.gen(function* () {
    const events = new ProxyEvents(yield* Taps, failed)
    const adminUrl = adminUrlOf(yield* Effect.serviceOption(AdminServer))
    return new RunningProxy({ runtime, server: yield* ProxyServer, repo: yield* SessionRepo, adminUrl, events })
  })
  const exit = await runtime.runPromiseExit(start, signal === undefined ? {} : { signal })
  if (Exit.isFailure(exit) || signal?.aborted === true) await runtime.dispose()
  signal?.throwIfAborted()
  if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  const proxy = exit.value
  if (signal !== undefined) closeBy(signal, proxy, failed)
  return proxy
}
