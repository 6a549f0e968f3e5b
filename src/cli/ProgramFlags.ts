import { countOrAuto, logPlace, onOrOff, oneOf, text } from "../domain/Reading.js"
import { type FlaggedSetting, type Setting, settingGroups } from "../domain/Setting.js"
import { settingRows } from "../domain/Settings.js"
import { type LogThreshold, logLevels } from "../log/LogControl.js"
import type { FlagGroup } from "./CommandDoc.js"
import { type Flag, flagOf } from "./Flag.js"
import type { LogFormat } from "./LogLine.js"

/** The database that is used where none is named. */
export const defaultDatabase = "./sessions.db"

export const dbPath: Flag<string> = {
  name: "db-path",
  alias: "d",
  reading: text("PATH"),
  env: "SS_PROXY_DB_PATH",
  about: "SQLite database of sessions; made on first use.",
  guide: "SQLite database of sessions; made on first use ([DATABASE.md](DATABASE.md)).",
  fallback: defaultDatabase,
}

export const db: Flag<string> = {
  name: "db",
  reading: text("URL"),
  env: "SS_PROXY_DB",
  about: "The database as a URL: sqlite:PATH, or postgres://USER@HOST:PORT/DATABASE.",
  guide:
    "The database as a URL: `sqlite:PATH`, or `postgres://USER:PASSWORD@HOST:PORT/DATABASE` ([DATABASE.md](DATABASE.md#postgresql)). In a command line anybody on the machine can read a password; in the variable, or in `PGPASSWORD`, nobody else can.",
}

export const dbListen: Flag<string> = {
  name: "db-listen",
  reading: text("URL"),
  env: "SS_PROXY_DB_LISTEN",
  about: "Where PostgreSQL tells of changes, if --db is a pooler such as pgbouncer: the URL of the server itself.",
  guide:
    "Where PostgreSQL tells of changes, if `--db` is a pooler such as pgbouncer ([why](DATABASE.md#poolers)): the URL of the server itself.",
}

export const demo: Flag<boolean> = {
  name: "demo",
  reading: onOrOff,
  about: 'Starts a small demo server as the session "demo", to try the proxy.',
  guide:
    "Starts a small demo server as the session `demo`, which is removed when the proxy stops. If several proxies use one file, the session is that of the first.",
}

/** What is logged. */
export const logLevel: Flag<LogThreshold> = {
  name: "log-level",
  alias: "l",
  reading: oneOf<LogThreshold>("LEVEL", logLevels),
  env: "SS_PROXY_LOG_LEVEL",
  about: "What is logged to standard error: trace, debug, info, warn, error or off.",
  guide: "What is logged to standard error: `trace`, `debug`, `info`, `warn`, `error` or `off`.",
  fallback: "info",
}

export const logFormat: Flag<LogFormat> = {
  name: "log-format",
  reading: oneOf<LogFormat>("FORMAT", ["pretty", "json", "logfmt"]),
  env: "SS_PROXY_LOG_FORMAT",
  about: "How the log is written: pretty for people, json, logfmt.",
  guide: "How the log is written: `pretty` for people, on a terminal shorter and in colour; `json`; `logfmt`.",
  fallback: "pretty",
}

export const accessLog: Flag<string> = {
  name: "access-log",
  reading: logPlace,
  env: "SS_PROXY_ACCESS_LOG",
  about: "A line for every request and WebSocket, when it is over. By itself the flag means pretty.",
  guide:
    "A line for every request and WebSocket, when it is over ([fields](#access-log)): `pretty` or `json` beside the log; as JSON to a file, or to standard output (`-`). By itself the flag means `pretty`.",
  fallback: "off",
  alone: "pretty",
}

/** The most workers: more than any machine has use for. */
const mostWorkers = 256

export const workers: Flag<number | "auto"> = {
  name: "workers",
  reading: countOrAuto(mostWorkers),
  env: "SS_PROXY_WORKERS",
  about: "So many processes serve the port; auto: one for each core. 1: no other process is started.",
  guide:
    "So many processes serve the port ([how](OPERATIONS.md#several-cores)); `auto`: one for each core that this process may use. `1`: no other process is started.",
  fallback: "1",
}

/** Flags of the program that are no settings of the proxy, by the group that they stand in, before its settings. */
const ofTheProgram: Readonly<Partial<Record<Setting<unknown>["group"], ReadonlyArray<Flag>>>> = {
  Sessions: [dbPath, db, dbListen, demo],
  Running: [workers, logLevel, logFormat, accessLog],
}

const hasFlag = (row: Setting<unknown>): row is FlaggedSetting<unknown> => row.flag !== undefined

/** The settings that have a flag, by name. */
export const flaggedSettings: ReadonlyArray<readonly [name: string, row: FlaggedSetting<unknown>]> = Object.entries(
  settingRows,
).flatMap(([name, row]) => (hasFlag(row) ? [[name, row] as const] : []))

/** Every flag of `run`, as the help has them. */
export const runGroups: ReadonlyArray<FlagGroup> = settingGroups.map((title) => ({
  title,
  flags: [
    ...(ofTheProgram[title] ?? []),
    ...flaggedSettings.filter(([, { group }]) => group === title).map(([, row]) => flagOf(row)),
  ],
}))
