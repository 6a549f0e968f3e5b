import { Redacted } from "effect"
import { readFileSync } from "node:fs"
import type { ConnectionOptions } from "node:tls"
import { Client, type ClientConfig } from "pg"
import { passwordFor } from "./PasswordFile.js"
import { hostText, isSocket, type PostgresHost, type PostgresPlace } from "./PostgresPlace.js"

/** A server, and whether the connection is encrypted: what was found to work. */
export interface Way {
  readonly server: PostgresHost
  readonly isEncrypted: boolean
}

/** Why a server could not be used. */
export interface Refusal {
  readonly server: PostgresHost
  readonly error: unknown
}

/** None of the servers of a place can be used. */
export class NoServer extends Error {
  constructor(readonly refusals: ReadonlyArray<Refusal>) {
    super(`no server of ${refusals.map(({ server }) => hostText(server)).join(", ")} can be used`)
  }
}

/** A file of the TLS settings cannot be read. */
export class UnreadableFile extends Error {
  constructor(
    readonly parameter: string,
    readonly path: string,
    cause: unknown,
  ) {
    super(`${parameter} cannot be read`, { cause })
  }
}

/** The server takes no writes: it follows another, or is told to take none. */
export class ReadOnlyServer extends Error {
  constructor() {
    super("the server takes no writes")
  }
}

/** The server does not bind the exchange of the password to the TLS connection, and was required to. */
export class NoChannelBinding extends Error {
  constructor() {
    super("the server offers no channel binding")
  }
}

// A dead connection is noticed after this and some probes more, where nothing is asked on it. Milliseconds.
const keepAliveDelay = 10_000

const fileOf = (parameter: string, path: string): string => {
  try {
    return readFileSync(path, "utf8")
  } catch (error) {
    throw new UnreadableFile(parameter, path, error)
  }
}

/** What the server has to prove, in the words of libpq. Node's own list of authorities counts where no file is named. */
const tlsOf = ({ tls }: PostgresPlace): ConnectionOptions => {
  const { cert, key, mode, rootCert } = tls
  // As in libpq, a list of authorities makes `require` verify, too.
  const verifies = mode === "verify-ca" || mode === "verify-full" || (mode === "require" && rootCert !== undefined)
  return {
    rejectUnauthorized: verifies,
    ...(verifies && rootCert !== undefined && { ca: fileOf("sslrootcert", rootCert) }),
    ...(verifies && mode !== "verify-full" && { checkServerIdentity: () => undefined }),
    ...(cert !== undefined && { cert: fileOf("sslcert", cert) }),
    ...(key !== undefined && { key: fileOf("sslkey", key) }),
  }
}

/**
 * The driver's options for one server. Files are read now, so that new certificates and passwords count for the next
 * connection.
 */
export const clientConfig = (place: PostgresPlace, { isEncrypted, server }: Way): ClientConfig => ({
  host: server.host,
  port: server.port,
  user: place.user,
  database: place.database,
  // A function, because the driver would look for a password of its own where it has none.
  password: () => (place.password === undefined ? (passwordFor(place, server) ?? "") : Redacted.value(place.password)),
  ssl: isEncrypted ? tlsOf(place) : false,
  enableChannelBinding: place.channelBinding !== "disable",
  application_name: place.applicationName,
  connectionTimeoutMillis: place.connectTimeout,
  keepAlive: true,
  keepAliveInitialDelayMillis: keepAliveDelay,
})

/** The ways to a server, in the order in which they are tried. */
const waysTo = ({ tls }: PostgresPlace, server: PostgresHost): ReadonlyArray<Way> => {
  if (isSocket(server) || tls.mode === "disable") return [{ server, isEncrypted: false }]
  const encrypted = { server, isEncrypted: true }
  return tls.mode === "prefer" ? [encrypted, { server, isEncrypted: false }] : [encrypted]
}

const noTls = /does not support SSL|no pg_hba\.conf entry .*SSL encryption/

/** Whether a server may take a connection that is not encrypted. */
const refusedTls = (error: unknown): boolean => error instanceof Error && noTls.test(error.message)

const boundMechanism = "SCRAM-SHA-256-PLUS"

/** Ends the connection before it is used, where the exchange of the password is not bound to TLS; and before a password goes. */
const requireBinding = ({ connection }: Client): void => {
  let isBound = false
  const refuse = () => {
    // The server may have said already that it is ready, and must not be heard.
    connection.removeAllListeners("readyForQuery")
    connection.emit("error", new NoChannelBinding())
    connection.stream.destroy()
  }
  connection.prependListener("authenticationSASL", ({ mechanisms }: { readonly mechanisms: ReadonlyArray<string> }) => {
    isBound = mechanisms.includes(boundMechanism)
    if (!isBound) refuse()
  })
  connection.prependListener("authenticationCleartextPassword", refuse)
  connection.prependListener("authenticationMD5Password", refuse)
  connection.prependListener("authenticationOk", () => {
    if (!isBound) refuse()
  })
}

/** The driver's client, where it does what the place says and the driver's options cannot. */
export const clientClass = ({ channelBinding }: PostgresPlace): new (config?: ClientConfig) => Client =>
  class extends Client {
    constructor(config?: ClientConfig) {
      super(config)
      if (channelBinding === "require") requireBinding(this)
    }
  }

const stateStatement =
  "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' AS takes_no_writes"

/** Connects to one server, and looks whether it takes writes where it has to. */
const connectBy = async (place: PostgresPlace, way: Way): Promise<Client> => {
  const config = { ...clientConfig(place, way), query_timeout: place.connectTimeout }
  const client = new (clientClass(place))(config)
  client.on("error", () => {})
  try {
    await client.connect()
    if (place.sessionKind === "any") return client
    const { rows } = await client.query<{ readonly takes_no_writes: boolean }>(stateStatement)
    if (rows[0]?.takes_no_writes === true) throw new ReadOnlyServer()
    return client
  } catch (error) {
    client.end().catch(() => {})
    throw error
  }
}

/** A connection, and the way that it was made by. */
export interface Connected {
  readonly client: Client
  readonly way: Way
}

/** Connects to the first server of a place that can be used. Rejects with `NoServer`. */
export const connectTo = async (place: PostgresPlace): Promise<Connected> => {
  const refusals: Array<Refusal> = []
  for (const server of place.hosts) {
    for (const way of waysTo(place, server)) {
      try {
        return { client: await connectBy(place, way), way }
      } catch (error) {
        if (way.isEncrypted && place.tls.mode === "prefer" && refusedTls(error)) continue
        refusals.push({ server, error })
        break
      }
    }
  }
  throw new NoServer(refusals)
}
