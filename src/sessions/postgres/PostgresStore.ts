import type { SqlClient } from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import { Effect, Either } from "effect"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import { SessionInvalid } from "../../domain/Session.js"
import type { NewSession } from "../SessionRepo.js"
import { storeFault } from "./PostgresFault.js"
import { type Parameter, runOn } from "./PostgresTransaction.js"

/** A database that is open. */
export interface Store {
  /** For what is short: requests wait for it. */
  readonly sql: SqlClient
  /** For what may take long: a connection of its own, with patience. */
  readonly bulk: SqlClient
  readonly schema: string
  /** How messages name the database. */
  readonly shown: string
  /** Runs a statement on any connection. */
  readonly ask: <Found extends object>(
    statement: string,
    parameters: ReadonlyArray<Parameter>,
  ) => Effect.Effect<ReadonlyArray<Found>, StoreUnavailable>
  /** Explains what is the database's fault; other errors stay as they are. */
  readonly fault: <A, E>(effect: Effect.Effect<A, E | SqlError>) => Effect.Effect<A, E | StoreUnavailable>
  /** Told after each change of this program's own. */
  readonly changed: () => void
}

const loneSurrogate = /\p{Surrogate}/u

/** Whether PostgreSQL can hold a text: no text of it has the character U+0000, or what is no Unicode. */
export const canBeText = (text: string): boolean => !text.includes("\0") && !loneSurrogate.test(text)

// Bytes of an id that its index takes for certain.
const longestId = 2_500

/** Refuses what this database cannot hold, though another could. */
export const checkStorable = ({ id, status }: NewSession): Either.Either<void, SessionInvalid> => {
  const refuse = (problem: string) => Either.left(new SessionInvalid({ sessionId: id, problem }))
  if (!canBeText(id)) return refuse("its id has the character U+0000, which PostgreSQL cannot store")
  if (!canBeText(status)) return refuse("its status has a character that PostgreSQL cannot store")
  if (Buffer.byteLength(id) > longestId)
    return refuse(`its id is longer than ${longestId} bytes, the most that an index of PostgreSQL takes`)
  return Either.void
}

export const makeStore = (options: Pick<Store, "sql" | "bulk" | "schema" | "shown" | "changed">): Store => {
  const asFault = storeFault(options.shown)
  const run = runOn(options.sql)
  return {
    ...options,
    ask: (statement, parameters) => Effect.mapError(run(statement, parameters), asFault),
    fault: <A, E>(effect: Effect.Effect<A, E | SqlError>) =>
      Effect.mapError(effect, (error) => (error instanceof SqlError ? asFault(error) : error)),
  }
}
