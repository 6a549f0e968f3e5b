import { Deferred, Effect, type Scope } from "effect"
import { randomBytes } from "node:crypto"
import type { Client, Notification } from "pg"
import { StoreUnavailable } from "../../domain/ProxyError.js"
import { connectTo } from "./PostgresConnect.js"
import { storeFault } from "./PostgresFault.js"
import { type PostgresPlace, placeText } from "./PostgresPlace.js"
import { channelOf, identifier, tables } from "./PostgresSchema.js"

/** A connection of the feed's own, for notices; it is closed with the scope. */
export interface FeedClient {
  /** Runs a statement; fails where the answer does not come in time. */
  readonly ask: (
    statement: string,
    values?: ReadonlyArray<unknown>,
  ) => Effect.Effect<ReadonlyArray<Readonly<Record<string, unknown>>>, StoreUnavailable>
  readonly onNotice: (hear: (notice: Notification) => void) => void
  /** Fails when the connection is lost. */
  readonly lost: Effect.Effect<never, StoreUnavailable>
}

/** Time limit for the connection to close politely. */
const closeTime = 200

const ended = "the connection was closed"

/** Closes a connection, though nobody may answer. */
const closing = (client: Client): Effect.Effect<void> =>
  Effect.promise(() => client.end().catch(() => {})).pipe(
    Effect.timeoutOption(closeTime),
    Effect.zipRight(Effect.sync(() => client.connection.stream.destroy())),
    Effect.asVoid,
  )

/** A connection that comes too late is closed by itself. */
const connecting = (place: PostgresPlace, answerTime: number): Effect.Effect<Client, unknown> =>
  Effect.async<Client, unknown>((resume) => {
    let isWanted = true
    connectTo({ ...place, connectTimeout: Math.min(place.connectTimeout, answerTime) }).then(
      ({ client }) => (isWanted ? resume(Effect.succeed(client)) : void client.end().catch(() => {})),
      (error: unknown) => resume(Effect.fail(error)),
    )
    return Effect.sync(() => {
      isWanted = false
    })
  })

/**
 * Connects to the first server of the place that takes writes: others hand on no notices. `answerTime`: the time limit for
 * that and for each answer, in milliseconds.
 */
export const openClient = (
  place: PostgresPlace,
  answerTime: number,
): Effect.Effect<FeedClient, StoreUnavailable, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const asFault = storeFault(placeText(place))
      const client = yield* restore(connecting({ ...place, sessionKind: "read-write" }, answerTime)).pipe(
        Effect.mapError(asFault),
      )
      yield* Effect.addFinalizer(() => closing(client))
      const gone = yield* Deferred.make<never, StoreUnavailable>()
      const lose = (error: unknown) => Deferred.unsafeDone(gone, Effect.fail(asFault(error)))
      client.on("error", lose)
      client.on("end", () => lose(new Error(ended)))
      return {
        ask: (text, values = []) =>
          Effect.tryPromise({
            // The types of the driver's query lack the time limit that it has.
            try: () =>
              client.query<Record<string, unknown>>(
                Object.assign({ text, values: [...values] }, { query_timeout: answerTime }),
              ),
            catch: asFault,
          }).pipe(Effect.map(({ rows }) => rows)),
        onNotice: (hear) => void client.on("notification", hear),
        lost: Deferred.await(gone),
      }
    }),
  )

const silent = (speaks: string, listens: string): StoreUnavailable =>
  speaks === listens
    ? new StoreUnavailable({
        problem: `notices of ${speaks} do not arrive`,
        hint: "Name the server itself in --db-listen: a pooler such as pgbouncer passes on no notices in transaction mode.",
      })
    : new StoreUnavailable({
        problem: `a notice that was sent by ${speaks} does not arrive at ${listens}`,
        hint: "Check that --db-listen names the same database, and no pooler in transaction mode.",
      })

/** The way of a word. */
interface WordWay {
  readonly speaks: PostgresPlace
  readonly listens: PostgresPlace
  /** Time limit, in milliseconds. */
  readonly answer: number
}

/**
 * Whether notices come: a word that is sent on another connection has to arrive. Through a pooler in transaction mode LISTEN
 * succeeds, and then nothing comes.
 */
export const hearWord = (
  listener: FeedClient,
  { answer, listens, speaks }: WordWay,
): Effect.Effect<void, StoreUnavailable> =>
  Effect.gen(function* () {
    const channel = `ss_proxy_word_${randomBytes(12).toString("hex")}`
    const heard = yield* Deferred.make<void>()
    listener.onNotice((notice) => {
      if (notice.channel === channel) Deferred.unsafeDone(heard, Effect.void)
    })
    yield* listener.ask(`LISTEN ${identifier(channel)}`)
    yield* Effect.scoped(
      Effect.flatMap(openClient(speaks, answer), (speaker) => speaker.ask("SELECT pg_notify($1, '')", [channel])),
    )
    yield* Deferred.await(heard).pipe(
      Effect.timeoutFail({ duration: answer, onTimeout: () => silent(placeText(speaks), placeText(listens)) }),
    )
    yield* listener.ask(`UNLISTEN ${identifier(channel)}`)
  })

export const listenStatement = (schema: string): string => `LISTEN ${identifier(channelOf(schema))}`

// With what a table is partitioned into: triggers for statements do not fire where a partition is written itself.
const sumStatement = `WITH RECURSIVE parts AS (
    SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname = ANY ($2::name[])
    UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN parts ON i.inhparent = parts.oid
  ) SELECT pg_catalog.current_setting('track_counts') = 'on' AS counts,
    pg_catalog.sum(pg_catalog.pg_stat_get_tuples_inserted(oid) + pg_catalog.pg_stat_get_tuples_updated(oid)
      + pg_catalog.pg_stat_get_tuples_deleted(oid))::text AS total,
    pg_catalog.string_agg(oid::text, ' ' ORDER BY oid) AS tables
  FROM parts`

/** How many rows of the tables were ever written, as far as the server's statistics have it; a second late or more. */
export interface WrittenRows {
  /** Whether the server counts at all. */
  readonly counts: boolean
  readonly total: number
  /** Differs when a table, or a part of one, was removed or made. Those of another table are counted anew. */
  readonly tables: string
}

export const writtenRows = (client: FeedClient, schema: string): Effect.Effect<WrittenRows, StoreUnavailable> =>
  Effect.map(client.ask(sumStatement, [schema, tables.map(({ name }) => name)]), ([row]) => ({
    counts: row?.["counts"] === true,
    total: Number(row?.["total"] ?? 0),
    tables: String(row?.["tables"] ?? ""),
  }))
