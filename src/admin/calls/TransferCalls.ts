import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Chunk, Effect, Option, Stream } from "effect"
import { ProxyConfig } from "../../domain/ProxyConfig.js"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import type { Session } from "../../domain/Session.js"
import { AddressGuard } from "../../downstream/AddressGuard.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { wholePolicyFields } from "../../sessions/SessionShape.js"
import { importSessions, type ImportOptions } from "../../transfer/SessionImport.js"
import { SessionLines } from "../../transfer/SessionLines.js"
import { Access } from "../access/Access.js"
import { AdminApi } from "../api/AdminApi.js"
import { storeUnavailable } from "../api/ApiProblem.js"
import { BodyReader } from "./BodyReader.js"
import { ImportCounts } from "./ImportCounts.js"
import { sessionView } from "../fleet/Shapes.js"
import { eachSliced } from "../fleet/Sliced.js"

/** Rows that are read in one turn of the event loop: a millisecond of work. */
const pageSize = 100

/** Longest line of an import, in bytes. */
const longestLine = 65_536

interface ExportOptions {
  readonly prefix: string
  /** With the user info of URLs, and values of fields. */
  readonly secrets: boolean
}

/** Sessions as lines, a page of them at a time: the next is read when the one before is taken. */
const linesOf = (repo: typeof SessionRepo.Service, { prefix, secrets }: ExportOptions) => {
  const pageBehind = (after: string | undefined): Effect.Effect<ReadonlyArray<Session>, StoreUnavailable> =>
    Effect.suspend(() => {
      let found: ReadonlyArray<Session> = []
      const take = (page: ReadonlyArray<Session>) => Effect.sync(() => ((found = page), false))
      return Effect.map(repo.forEachPage({ prefix, sort: "id", after, pageSize }, take), () => found)
    })
  const lineOf = (session: Session): string => {
    const { health: _, ...view } = sessionView(session)
    return `${JSON.stringify(secrets ? { ...view, url: session.url, ...wholePolicyFields(session.policy) } : view)}\n`
  }
  return Stream.paginateChunkEffect<string | undefined, Uint8Array, StoreUnavailable, never>(undefined, (after) =>
    Effect.gen(function* () {
      const sessions = yield* pageBehind(after)
      const lines: Array<string> = []
      yield* eachSliced(sessions, (session) => lines.push(lineOf(session)))
      const next = sessions.length < pageSize ? Option.none() : Option.fromNullable(sessions.at(-1)?.id)
      return [Chunk.of(Buffer.from(lines.join(""))), next]
    }),
  )
}

const exporting = (repo: typeof SessionRepo.Service, options: ExportOptions) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    // What fails by now can still be told.
    yield* repo.forEachPage({ prefix: options.prefix, sort: "id", pageSize: 1 }, () => Effect.succeed(false))
    const response = NodeHttpServerRequest.toServerResponse(request)
    const lines = linesOf(repo, options).pipe(
      // A body that ended like any other would be taken for the whole.
      Stream.tapErrorCause(() => Effect.sync(() => response.destroy())),
      Stream.tapError(({ problem }) => Effect.logWarning(`an export was broken off: ${problem}`)),
    )
    return HttpServerResponse.stream(lines, { contentType: "application/x-ndjson" })
  }).pipe(Effect.mapError(({ problem }) => storeUnavailable(problem)))

/** Calls that carry all sessions out and in. */
export const layerTransferCalls = HttpApiBuilder.group(AdminApi, "transfer", (handlers) =>
  Effect.gen(function* () {
    const repo = yield* SessionRepo
    const guard = new AddressGuard(yield* ProxyConfig)
    const { changes } = yield* Access

    const importing = (request: HttpServerRequest.HttpServerRequest, options: ImportOptions) =>
      Effect.suspend(() => {
        const incoming = NodeHttpServerRequest.toIncomingMessage(request)
        const reader = new BodyReader(incoming)
        const counts = new ImportCounts(options, (note) => changes.note(incoming, note))
        const lines = new SessionLines("ndjson", guard)
        return importSessions(reader.next, lines, longestLine, options, counts).pipe(
          Effect.map(() => HttpServerResponse.unsafeJson(counts.view)),
          Effect.catchAll((error) => Effect.succeed(counts.stopped(error))),
          Effect.ensuring(Effect.sync(() => reader.letGo())),
          Effect.provideService(SessionRepo, repo),
        )
      })

    return handlers
      .handle("exportSessions", ({ urlParams: { prefix = "", secrets = false } }) =>
        exporting(repo, { prefix, secrets }),
      )
      .handleRaw("importSessions", ({ request, urlParams: { dry_run, on_error, replace } }) =>
        importing(request, { replace: replace ?? false, onError: on_error ?? "stop", dryRun: dry_run ?? false }),
      )
  }),
)
