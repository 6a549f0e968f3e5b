import { Either, Redacted } from "effect"
import { existsSync } from "node:fs"
import { homedir, userInfo } from "node:os"
import { join } from "node:path"
import {
  bindings,
  type ChannelBinding,
  defaultPort,
  defaultSchema,
  type PostgresHost,
  type PostgresPlace,
  type SessionKind,
  sessionKinds,
  type TlsMode,
  tlsModes,
} from "./PostgresPlace.js"

/** What a URL leaves open, as libpq has it. */
export interface PostgresSurroundings {
  /** Variables of the environment. */
  readonly variables: Readonly<Record<string, string | undefined>>
  /** The user of this process; the role where nothing names one. */
  readonly userName: string | undefined
  readonly home: string | undefined
  /** The folder with the socket of a server on this machine. */
  readonly socketFolder: string | undefined
}

/** Those of this process. */
export const surroundings = (): PostgresSurroundings => {
  const folder = ["/var/run/postgresql", "/tmp"].find((path) => existsSync(`${path}/.s.PGSQL.${defaultPort}`))
  return { variables: process.env, userName: nameOfUser(), home: homedir(), socketFolder: folder }
}

const nameOfUser = (): string | undefined => {
  try {
    return userInfo().username
  } catch {
    return undefined
  }
}

/** A phrase about what is wrong with a URL. It never has any of the URL but the name of a parameter. */
type Problem = string

const encodeIt = "a character such as @ : / ? # % or a space has to be percent-encoded in a name or a password"

const decoded = (text: string): Either.Either<string, Problem> =>
  Either.try({ try: () => decodeURIComponent(text), catch: () => `it has a % that encodes nothing: ${encodeIt}` })

/** A text that PostgreSQL can be told: no text of it may have the character U+0000. */
const part = (text: string): Either.Either<string, Problem> =>
  Either.filterOrLeft(
    decoded(text),
    (value) => !value.includes("\0"),
    () => "it has the character U+0000",
  )

const portOf = (text: string): Either.Either<number, Problem> =>
  /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535
    ? Either.right(Number(text))
    : Either.left(`a port in it is no number from 1 to 65535 (${encodeIt})`)

/** What a URL says of its servers; `""` where it says nothing. */
interface HostText {
  readonly host: string
  readonly port: string
}

/** `host`, `host:port`, `[address]:port`; any part may be missing. */
const hostTextOf = (text: string): Either.Either<HostText, Problem> => {
  const found = /^(?:\[([0-9a-fA-F:.]+(?:%25[^\]]*)?)\]|([^:[\]]*))(?::([^:]*))?$/.exec(text)
  if (found === null) return Either.left(`one of its hosts cannot be read (${encodeIt})`)
  const [, address, name = "", port = ""] = found
  return Either.map(part(address ?? name), (host) => ({ host, port }))
}

interface Parts {
  readonly user: string | undefined
  readonly password: string | undefined
  readonly hosts: ReadonlyArray<HostText>
  readonly database: string
  readonly parameters: ReadonlyMap<string, string>
}

const known = [
  "application_name",
  "channel_binding",
  "connect_timeout",
  "dbname",
  "host",
  "options",
  "passfile",
  "password",
  "port",
  "schema",
  "sslcert",
  "sslkey",
  "sslmode",
  "sslrootcert",
  "target_session_attrs",
  "user",
] as const

const parametersOf = (query: string): Either.Either<ReadonlyMap<string, string>, Problem> =>
  Either.gen(function* () {
    const parameters = new Map<string, string>()
    for (const pair of query === "" ? [] : query.split("&")) {
      const [name = "", value, ...rest] = pair.split("=")
      if (!/^[a-zA-Z_]+$/.test(name) || value === undefined || rest.length > 0)
        return yield* Either.left("one of its parameters is not NAME=VALUE")
      if (!known.some((allowed) => allowed === name))
        return yield* Either.left(`the parameter ${name} is not known; these are: ${known.join(", ")}`)
      if (parameters.has(name)) return yield* Either.left(`the parameter ${name} is there twice`)
      parameters.set(name, yield* part(value))
    }
    return parameters
  })

const partsOf = (url: string): Either.Either<Parts, Problem> =>
  Either.gen(function* () {
    const found = /^postgres(?:ql)?:\/\/(?:([^/?#@]*)@)?([^/?#@]*)(?:\/([^/?#@]*))?(?:\?([^?#@]*))?$/i.exec(url)
    // What follows an @ that comes too late would be taken for a host, and the beginning of a password for a port.
    if (found === null) return yield* Either.left(`it is not postgres://USER:PASSWORD@HOST:PORT/DATABASE: ${encodeIt}`)
    const [, info, hosts = "", database = "", query = ""] = found
    const colon = info?.indexOf(":") ?? -1
    const user = colon < 0 ? info : info?.slice(0, colon)
    return {
      user: user === undefined || user === "" ? undefined : yield* part(user),
      password: colon < 0 ? undefined : yield* part(info?.slice(colon + 1) ?? ""),
      hosts: yield* Either.all(hosts.split(",").map(hostTextOf)),
      database: yield* part(database),
      parameters: yield* parametersOf(query),
    }
  })

/** Reads what a URL or the environment says of a place. An empty text says nothing. */
class Source {
  constructor(
    private readonly parts: Parts,
    private readonly around: PostgresSurroundings,
  ) {}

  text(parameter: string, variable?: string): string | undefined {
    const given = this.parts.parameters.get(parameter)
    if (given !== undefined && given !== "") return given
    const found = variable === undefined ? undefined : this.around.variables[variable]
    return found === "" ? undefined : found
  }

  word<Word extends string>(
    parameter: string,
    variable: string,
    words: ReadonlyArray<Word>,
    fallback: Word,
  ): Either.Either<Word, Problem> {
    const given = this.text(parameter, variable)
    if (given === undefined) return Either.right(fallback)
    const word = words.find((allowed) => allowed === given)
    return word === undefined ? Either.left(`${parameter} must be one of ${words.join(", ")}`) : Either.right(word)
  }

  get hosts(): Either.Either<ReadonlyArray<PostgresHost>, Problem> {
    const { parts, around } = this
    const isNamed = parts.hosts.some(({ host, port }) => host !== "" || port !== "")
    const names = this.text("host", isNamed ? undefined : "PGHOST")?.split(",")
    const hosts = names?.map((host): HostText => ({ host, port: "" })) ?? parts.hosts
    const ports = this.text("port", "PGPORT")?.split(",") ?? []
    const [everywhere = String(defaultPort)] = ports
    if (ports.length > 1 && ports.length !== hosts.length)
      return Either.left("it has another number of ports than of hosts")
    return Either.all(
      hosts.map(({ host, port }, at) =>
        Either.map(portOf(port === "" ? (ports[at] ?? everywhere) : port), (port): PostgresHost => ({
          host: host === "" ? (around.socketFolder ?? "localhost") : host,
          port,
        })),
      ),
    )
  }

  /** Seconds, as libpq has them; 0 is for ever there, and no proxy should wait so long. */
  get connectTimeout(): Either.Either<number, Problem> {
    const given = this.text("connect_timeout", "PGCONNECT_TIMEOUT")
    if (given === undefined) return Either.right(usualConnectTimeout)
    if (!/^\d{1,4}$/.test(given) || Number(given) === 0)
      return Either.left("connect_timeout must be a number of seconds from 1 to 9999")
    return Either.right(Number(given) * 1_000)
  }

  /** From `schema`, or from a search path: its first schema. Other options cannot be passed through pgbouncer. */
  get schema(): Either.Either<string, Problem> {
    const options = this.text("options")
    const path = options === undefined ? undefined : /^\s*(?:-c\s*|--)search_path=(\w+)(?:,\S*)?\s*$/.exec(options)?.[1]
    if (options !== undefined && path === undefined)
      return Either.left("options may only be -csearch_path=SCHEMA; for others use ALTER ROLE … SET")
    const schema = this.text("schema") ?? path ?? defaultSchema
    // The channel on which changes are told is named after it, and a name has 63 bytes at most.
    return Buffer.byteLength(schema) > longestSchema
      ? Either.left(`the name of its schema is longer than ${longestSchema} bytes`)
      : Either.right(schema)
  }
}

const usualConnectTimeout = 2_000
const longestSchema = 50

const modeOf = (source: Source) => source.word<TlsMode>("sslmode", "PGSSLMODE", tlsModes, "prefer")
const kindOf = (source: Source) =>
  source.word<SessionKind>("target_session_attrs", "PGTARGETSESSIONATTRS", sessionKinds, "read-write")
const bindingOf = (source: Source) =>
  source.word<ChannelBinding>("channel_binding", "PGCHANNELBINDING", bindings, "prefer")

const placeOf = (parts: Parts, around: PostgresSurroundings): Either.Either<PostgresPlace, Problem> =>
  Either.gen(function* () {
    const source = new Source(parts, around)
    const user = parts.user ?? source.text("user", "PGUSER") ?? around.userName
    if (user === undefined || user === "") return yield* Either.left("it names no user")
    const password = parts.password ?? source.text("password", "PGPASSWORD")
    const named =
      source.text("dbname") ?? (parts.database === "" ? source.text("dbname", "PGDATABASE") : parts.database)
    const { home } = around
    const rootCert = source.text("sslrootcert", "PGSSLROOTCERT")
    return {
      hosts: yield* source.hosts,
      database: named ?? user,
      user,
      password: password === undefined || password === "" ? undefined : Redacted.make(password),
      passwordFile: source.text("passfile", "PGPASSFILE") ?? (home === undefined ? undefined : join(home, ".pgpass")),
      tls: {
        mode: yield* modeOf(source),
        rootCert: rootCert === "system" ? undefined : rootCert,
        cert: source.text("sslcert", "PGSSLCERT"),
        key: source.text("sslkey", "PGSSLKEY"),
      },
      channelBinding: yield* bindingOf(source),
      schema: yield* source.schema,
      applicationName: source.text("application_name", "PGAPPNAME") ?? "ss-proxy",
      connectTimeout: yield* source.connectTimeout,
      sessionKind: yield* kindOf(source),
    }
  })

/**
 * Reads a URL of libpq's form, with several hosts if need be: `postgres://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE?…`. What
 * it leaves open comes from libpq's variables (`PGUSER`, `PGPASSWORD`, …). Left: a phrase about what is wrong, without
 * anything that could be a part of a password.
 */
export const parsePostgresUrl = (
  url: string,
  around: PostgresSurroundings = surroundings(),
): Either.Either<PostgresPlace, Problem> => Either.flatMap(partsOf(url), (parts) => placeOf(parts, around))
