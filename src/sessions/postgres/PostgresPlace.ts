import type { Redacted } from "effect"

/** One server of a database. */
export interface PostgresHost {
  /** A name, an address, or the absolute path of the folder with a Unix socket. */
  readonly host: string
  readonly port: number
}

/** How a connection is encrypted, and whether the server has to prove who it is; the words are libpq's. */
export const tlsModes = ["disable", "prefer", "require", "verify-ca", "verify-full"] as const
export type TlsMode = (typeof tlsModes)[number]

/** Which server of several is used: the one that takes writes, or the first that answers. */
export const sessionKinds = ["read-write", "any"] as const
export type SessionKind = (typeof sessionKinds)[number]

/** Whether the exchange of a password is bound to the TLS connection (RFC 5802 section 6). */
export const bindings = ["disable", "prefer", "require"] as const
export type ChannelBinding = (typeof bindings)[number]

/** How the connections to a database are encrypted. */
export interface PostgresTls {
  readonly mode: TlsMode
  /** Files in PEM, which are read when a connection is made. Without `rootCert`: what Node trusts. */
  readonly rootCert: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
}

/** Where a PostgreSQL database is, and who asks it. */
export interface PostgresPlace {
  /** Tried in this order. At least one. */
  readonly hosts: ReadonlyArray<PostgresHost>
  readonly database: string
  readonly user: string
  /** `undefined`: what the password file has for the server, if anything. */
  readonly password: Redacted.Redacted | undefined
  readonly passwordFile: string | undefined
  readonly tls: PostgresTls
  readonly channelBinding: ChannelBinding
  /** The schema that has the tables. */
  readonly schema: string
  readonly applicationName: string
  /** Time limit for a connection to one server, in milliseconds. */
  readonly connectTimeout: number
  readonly sessionKind: SessionKind
}

/** Whether it is a Unix socket. */
export const isSocket = ({ host }: PostgresHost): boolean => host.startsWith("/")

/** A server as people write it. */
export const hostText = (server: PostgresHost): string => {
  if (isSocket(server)) return `${server.host}/.s.PGSQL.${server.port}`
  return `${server.host.includes(":") ? `[${server.host}]` : server.host}:${server.port}`
}

/** The place as a URL without its password, for messages. Of one place it is always the same. */
export const placeText = ({ database, hosts, schema, user }: PostgresPlace): string => {
  const servers = hosts.map((server) => {
    const host = isSocket(server) ? encodeURIComponent(server.host) : server.host.replaceAll("%", "%25")
    return `${host.includes(":") ? `[${host}]` : host}${server.port === defaultPort ? "" : `:${server.port}`}`
  })
  const search = schema === defaultSchema ? "" : `?schema=${encodeURIComponent(schema)}`
  return `postgres://${encodeURIComponent(user)}@${servers.join(",")}/${encodeURIComponent(database)}${search}`
}

export const defaultPort = 5432
export const defaultSchema = "public"
