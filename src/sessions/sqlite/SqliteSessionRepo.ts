import { layer as layerReactivity, Reactivity } from "@effect/experimental/Reactivity"
import { Effect, Exit, Layer, Scope } from "effect"
import type { IdCase } from "../../domain/Settings.js"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import { FollowedFile } from "./FollowedFile.js"
import { SessionRepo } from "../SessionRepo.js"
import { checkpoint, openConnections, waitForStaleCompanions } from "./SqliteConnections.js"
import { usablePath } from "./SqlitePath.js"
import { reads } from "./SqliteReads.js"
import { writes } from "./SqliteWrites.js"

export interface SqliteOptions {
  /** Path of the database. A missing file is made, a missing folder is not. */
  readonly filename: string
  /**
   * Makes and changes nothing, not even the journal mode: for listing the sessions of a file that must not be written.
   */
  readonly readonly?: boolean
  /**
   * A file that is made counts as made when the scope closes: proxies that follow the file do not use it before. For commands that
   * fill a file that was lost.
   */
  readonly marksMaking?: boolean
  /** `fold`: makes an index, so that `findFolded` does not look at every row. It stays when it is asked for no more. */
  readonly idCase?: IdCase
}

/**
 * Sessions in an SQLite file that other programs read and write at the same time. It is made where there is none.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { layerSqlite, SessionRepo } from "ss-proxy"
 *
 * const program = Effect.gen(function* () {
 *   const sessions = yield* SessionRepo
 *   yield* sessions.put({ id: "alice", url: "http://127.0.0.1:9000", status: "active" })
 *   for (const { id, url } of yield* sessions.list) console.log(`${id} is at ${url}`)
 * })
 * await Effect.runPromise(Effect.provide(program, layerSqlite({ filename: "example.db" })))
 * // prints: alice is at http://127.0.0.1:9000
 * ```
 */
export const layerSqlite = (options: SqliteOptions): Layer.Layer<SessionRepo, StoreUnavailable> =>
  Layer.scoped(SessionRepo, make(options)).pipe(Layer.provide(layerReactivity))

const make = ({
  filename,
  idCase = "exact",
  marksMaking = false,
  readonly = false,
}: SqliteOptions): Effect.Effect<typeof SessionRepo.Service, StoreUnavailable, Scope.Scope | Reactivity> =>
  Effect.gen(function* () {
    const path = yield* usablePath(filename, readonly)
    if (!readonly) yield* waitForStaleCompanions(path)
    const reactivity = yield* Reactivity
    const file = yield* FollowedFile.open({
      path,
      filename,
      open: (first) =>
        Effect.provideService(
          openConnections(path, filename, { first, readonly, idCase, marksMaking }),
          Reactivity,
          reactivity,
        ),
      checkpoint: checkpoint(filename),
      usesWal: ({ reader }) => reader.usesWal(),
      // Only the connection that closes last runs the checkpoint. That is then `reader`, which cannot write.
      discardWal: ({ sqlScope }) => Scope.close(sqlScope, Exit.void),
    })
    return { ...reads(file, filename), ...writes(file, filename) }
  })
