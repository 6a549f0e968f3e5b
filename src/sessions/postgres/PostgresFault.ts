import { SqlError } from "@effect/sql/SqlError"
import { StoreUnavailable } from "../../domain/ProxyError.js"
import { NoChannelBinding, NoServer, ReadOnlyServer, UnreadableFile } from "./PostgresConnect.js"
import { hostText, type PostgresHost } from "./PostgresPlace.js"
import { sessionTable } from "./PostgresSchema.js"

/** The error of the driver, without the `SqlError`s around it. */
const causeOf = (error: unknown): unknown => (error instanceof SqlError ? causeOf(error.cause) : error)

const textOf = (error: unknown, name: string): string => {
  const value: unknown = error instanceof Error ? Reflect.get(error, name) : undefined
  return typeof value === "string" ? value : ""
}

/** The SQLSTATE of an error of the server (appendix A of PostgreSQL's manual), or the code of one of Node's; `""` for others. */
export const codeOf = (error: unknown): string => textOf(causeOf(error), "code")

/** The server's message where the code of the error fits; `undefined` for any other error. */
export const messageOf = (error: unknown, codes: RegExp): string | undefined =>
  codes.test(codeOf(error)) ? textOf(causeOf(error), "message") : undefined

/** Whether the session id exists already. Another constraint of the table does not count. */
export const isKeyConflict = (error: unknown): boolean =>
  codeOf(error) === "23505" &&
  textOf(causeOf(error), "table") === sessionTable &&
  textOf(causeOf(error), "detail").includes("(session_id)=")

interface Explanation {
  /** Fits the code and the message, with a space between them. */
  readonly fits: RegExp
  /** A clause whose subject is the server or the database. */
  readonly problem: (message: string) => string
  readonly hint: string
}

const checkUrl = "Check user, password and host in --db, PGPASSWORD and the password file (~/.pgpass)."
const isItUp = "Check that it runs, that it listens there (listen_addresses, port), and that no firewall is between."

// Of a connection that could not be made. The first that fits counts.
const ofConnections: ReadonlyArray<Explanation> = [
  { fits: /^ECONNREFUSED/, problem: () => "nothing listens there", hint: isItUp },
  {
    fits: /^(ENOTFOUND|EAI_\w+)/,
    problem: () => "the name of its host is not known",
    hint: "Check the host in --db, and DNS.",
  },
  {
    fits: /^ENOENT/,
    problem: () => "there is no such socket",
    hint: "Check that the server runs on this machine, and the folder of its socket (unix_socket_directories).",
  },
  { fits: /^EACCES/, problem: () => "this user may not use the socket", hint: "Give the user access to its folder." },
  {
    fits: /timeout expired|connection timeout|Query read timeout|^(ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN)/,
    problem: () => "it does not answer",
    hint: isItUp,
  },
  {
    fits: /client password must be/,
    problem: () => "it asks for a password, and none was given",
    hint: "Give one in SS_PROXY_DB, PGPASSWORD or the password file (~/.pgpass, which only its owner may read).",
  },
  { fits: /^28P01/, problem: () => "it refuses the password", hint: checkUrl },
  {
    fits: /^28000/,
    problem: (message) => `it does not let this user in (${message})`,
    hint: "Check the user in --db, and pg_hba.conf of the server.",
  },
  {
    fits: /^3D000|no such database/,
    problem: () => "it has no such database",
    hint: "Make it with CREATE DATABASE, or name another in --db.",
  },
  {
    fits: /^42501/,
    problem: (message) => `this user may not connect (${message})`,
    hint: "GRANT CONNECT ON DATABASE … TO this user.",
  },
  {
    fits: /does not support SSL/,
    problem: () => "it does not encrypt connections (TLS)",
    hint: "Switch on ssl in postgresql.conf, or say sslmode=disable in the URL where nobody can listen.",
  },
  {
    fits: /^(SELF_SIGNED_CERT|UNABLE_TO_|DEPTH_ZERO|CERT_|ERR_TLS_CERT|HOSTNAME_MISMATCH)/,
    problem: (message) => `its certificate is not trusted (${message})`,
    hint: "Name the file with its authority in the URL: sslrootcert=PATH. sslmode=verify-full also compares the name.",
  },
  {
    fits: /SSL|TLS|certificate/i,
    problem: (message) => `TLS fails (${message})`,
    hint: "Check sslmode, sslrootcert, sslcert and sslkey in the URL.",
  },
  {
    fits: /^(53300|08P01.*(connections|client_conn))/,
    problem: () => "it has no connection left",
    hint: "Raise max_connections, or put pgbouncer in between: each proxy keeps up to three.",
  },
  {
    fits: /^57P0[123]/,
    problem: (message) => `it takes no connections now (${message})`,
    hint: "Try again when it has started.",
  },
  {
    fits: /^(ECONNRESET|EPIPE|08)|Connection terminated/,
    problem: () => "it closed the connection",
    hint: "Look at its log.",
  },
]

/** Of a statement. */
const ofStatements: ReadonlyArray<Explanation> = [
  {
    fits: /Query read timeout/,
    problem: () => "did not answer a statement in time",
    hint: "Look at pg_stat_activity and pg_locks: it may be busy, or another program holds a lock.",
  },
  {
    fits: /timeout exceeded when trying to connect/,
    problem: () => "is so slow that every connection of this program is in use",
    hint: "Look at pg_stat_activity and pg_locks: it may be busy, or another program holds a lock.",
  },
  {
    fits: /^25006/,
    problem: () => "takes no writes: it is a standby, or default_transaction_read_only is on",
    hint: "Name the primary in --db; several hosts may be named, and the one that takes writes is used.",
  },
  {
    fits: /^42501/,
    problem: (message) => `does not allow this role to do that (${message})`,
    hint: "GRANT SELECT, INSERT, UPDATE, DELETE ON sessions, session_policies, session_control TO this role.",
  },
  {
    fits: /^(42P01|3F000)/,
    problem: () => "has lost a table of the proxy's",
    hint: "Restore it, or restart the proxy to make an empty one.",
  },
  {
    fits: /^(42703|42804|42883|42P10|22P02|22003)/,
    problem: (message) => `has a table with other columns or types than the proxy's (${message})`,
    hint: "Look at docs/DATABASE.md for what they must be. Restart the proxy: it adds what a table of an earlier version lacks.",
  },
  {
    fits: /^23/,
    problem: (message) => `refuses this row: a table has a rule of its own (${message})`,
    hint: "Look at the rule with \\d in psql.",
  },
  { fits: /^53100/, problem: () => "has a full disk", hint: "Make room there." },
  { fits: /^(53|54)/, problem: (message) => `is at a limit (${message})`, hint: "Look at its log." },
  {
    fits: /^(40|55P03|57014)/,
    problem: (message) => `gave up the statement (${message})`,
    hint: "Try again; look at pg_locks for who else writes these rows.",
  },
]

const explain = (explanations: ReadonlyArray<Explanation>, error: unknown) => {
  const message = error instanceof Error ? error.message : String(error)
  const known = explanations.find(({ fits }) => fits.test(`${codeOf(error)} ${message}`.trimStart()))
  return known === undefined ? undefined : { problem: known.problem(message), hint: known.hint }
}

/** Why one server cannot be used, as a clause about it, and what to do. */
const refusalOf = (error: unknown): { readonly problem: string; readonly hint: string } => {
  if (error instanceof ReadOnlyServer)
    return {
      problem: "it takes no writes: it is a standby, or default_transaction_read_only is on",
      hint: "Name the primary too, or say target_session_attrs=any in the URL to read only.",
    }
  if (error instanceof UnreadableFile)
    return {
      problem: `the file of ${error.parameter} cannot be read (${error.path})`,
      hint: "Check the path, and that the user of this program may read it.",
    }
  if (error instanceof NoChannelBinding)
    return {
      problem: "it does not bind the password to TLS (channel_binding=require)",
      hint: "Use scram-sha-256 and TLS on the server, or leave channel_binding out.",
    }
  const unknown = { problem: error instanceof Error ? error.message : String(error), hint: "Look at its log." }
  return explain(ofConnections, error) ?? unknown
}

const noServer = (shown: string, { refusals }: NoServer, cause: unknown): StoreUnavailable => {
  const told = refusals.map(({ error, server }) => ({ server, ...refusalOf(error) }))
  const [first] = told
  const line = ({ problem, server }: { readonly problem: string; readonly server: PostgresHost }) =>
    `${hostText(server)}: ${problem}`
  return new StoreUnavailable({
    problem: `the database ${shown} cannot be reached: ${told.map(line).join("; ")}`,
    hint: first?.hint ?? checkUrl,
    cause,
  })
}

/** Explains an error of the driver to an operator. `shown`: the database as messages have it. */
export const storeFault =
  (shown: string) =>
  (error: unknown): StoreUnavailable => {
    if (error instanceof StoreUnavailable) return error
    const cause = causeOf(error)
    if (cause instanceof NoServer) return noServer(shown, cause, error)
    const known = explain(ofStatements, cause)
    if (known !== undefined)
      return new StoreUnavailable({ problem: `${shown} ${known.problem}`, hint: known.hint, cause })
    const { hint, problem } = refusalOf(cause)
    return new StoreUnavailable({ problem: `the database ${shown} failed: ${problem}`, hint, cause })
  }

// What ends by itself, such as a server that is just being started.
const passing =
  /^(ECONNREFUSED|ECONNRESET|ENOENT|EAI_AGAIN|ENOTFOUND|ETIMEDOUT|EHOSTUNREACH|57P0[123]|53300)|timeout|terminated/

/** Whether a database that could not be reached may be there in a moment. */
export const mayPass = (error: unknown): boolean => {
  const cause = causeOf(error)
  return (
    cause instanceof NoServer &&
    cause.refusals.some(
      ({ error }) =>
        error instanceof ReadOnlyServer ||
        passing.test(`${codeOf(error)} ${error instanceof Error ? error.message : ""}`.trimStart()),
    )
  )
}
