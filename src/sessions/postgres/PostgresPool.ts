import { Effect, type Scope } from "effect"
import { Pool, type PoolClient } from "pg"
import { cancelStatement } from "./CancelRequest.js"
import { clientClass, clientConfig, connectTo, type Way } from "./PostgresConnect.js"
import type { PostgresPlace } from "./PostgresPlace.js"

/** How a pool is used. */
export interface PoolUse {
  /** Connections at most. */
  readonly max: number
  /** Time limit of a statement, in milliseconds. */
  readonly queryTimeout: number
}

// A connection is closed that nobody has used for so long, in milliseconds.
const idleTimeout = 30_000
// Time limit for connections to close at the end, in milliseconds.
const endTimeout = 1_000

type Connected = Parameters<Pool["connect"]>[0]

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)))

/** An answer that did not come in time. */
const isLate = (error: unknown): boolean => error instanceof Error && error.message === "Query read timeout"

/** The same, or an answer that says that this server takes no writes any more (25006). */
const endsTheWay = (error: unknown): boolean =>
  isLate(error) || (error instanceof Error && Reflect.get(error, "code") === "25006")

/** All connections are in use, and none has become free in time. That says nothing of the server. */
const isFull = (error: unknown): boolean =>
  error instanceof Error && error.message === "timeout exceeded when trying to connect"

/**
 * A pool whose connections all go to one server, the first of the place that can be used. When that one fails, the next
 * connection looks for one again.
 */
class PostgresPool extends Pool {
  /** What was found, or is being looked for. */
  #way: Promise<Way> | undefined
  /** What was found last: new connections are made by it. */
  #current: Way | undefined
  /** Which way each connection was made by. */
  readonly #ways = new WeakMap<object, Way>()

  constructor(
    private readonly place: PostgresPlace,
    { max, queryTimeout }: PoolUse,
  ) {
    super({
      max,
      Client: clientClass(place),
      query_timeout: queryTimeout,
      connectionTimeoutMillis: place.connectTimeout,
      idleTimeoutMillis: idleTimeout,
      allowExitOnIdle: true,
    })
    // A connection that is lost while nobody uses it. Without a listener it would be the end of the process.
    this.on("error", () => {})
    this.on("connect", (client) => {
      // The same for one that is lost just when somebody is about to use it.
      client.on("error", () => {})
      if (this.#current !== undefined) this.#ways.set(client, this.#current)
      this.cutUseless(client)
    })
  }

  override connect(): Promise<PoolClient>
  override connect(connected: Connected): void
  override connect(connected?: Connected): Promise<PoolClient> | void {
    const found = this.obtain(true)
    if (connected === undefined) return found
    found.then(
      (client) => connected(undefined, client, (error?: boolean | Error) => client.release(error)),
      (error: unknown) => connected(asError(error), undefined, () => {}),
    )
  }

  /** A connection to the server that is to be used now; one to another is closed. */
  private async obtain(mayTryAgain: boolean): Promise<PoolClient> {
    const way = await this.way
    try {
      const client = await super.connect()
      if (this.#ways.get(client)?.server === way.server) return client
      client.release(true)
    } catch (error) {
      if (isFull(error)) throw error
      this.#way = undefined
      if (!mayTryAgain) throw error
    }
    return this.obtain(false)
  }

  /** The one way for all, which is looked for by one of them. */
  private get way(): Promise<Way> {
    this.#way ??= connectTo(this.place).then(
      ({ client, way }) => {
        client.end().catch(() => {})
        Object.assign(this.options, clientConfig(this.place, way))
        this.#current = way
        return way
      },
      (error: unknown) => {
        this.#way = undefined
        throw error
      },
    )
    return this.#way
  }

  /**
   * Closes a connection whose answer is late: the driver leaves it as it is, and the next statement would wait behind that
   * answer. The server is told to give up, or each such statement would keep one of its connections. The same for one to a server that takes no writes any more.
   */
  private cutUseless(client: PoolClient): void {
    const ask = client.query
    const query = (...given: ReadonlyArray<unknown>): unknown => {
      const answer = given.at(-1)
      if (typeof answer !== "function") return Reflect.apply(ask, client, given)
      const heard = (error: unknown, result: unknown) => {
        if (endsTheWay(error)) {
          this.#way = undefined
          const way = this.#ways.get(client)
          if (way !== undefined && isLate(error)) cancelStatement(way.server, client)
          void client.end()
        }
        answer(error, result)
      }
      return Reflect.apply(ask, client, [...given.slice(0, -1), heard])
    }
    // The driver's own has overloads that no function can be assigned to.
    Object.defineProperty(client, "query", { value: query })
  }
}

/** A pool that is closed with the scope. No connection is made before somebody needs one. */
export const openPool = (place: PostgresPlace, use: PoolUse): Effect.Effect<Pool, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => new PostgresPool(place, use)),
    (pool) => Effect.promise(() => pool.end()).pipe(Effect.timeoutOption(endTimeout), Effect.asVoid),
  )
