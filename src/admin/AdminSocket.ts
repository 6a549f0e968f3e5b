import type { Server } from "node:http"
import { rmSync } from "node:fs"
import { Context, Data, Effect, type Scope } from "effect"
import type { ProxySettings } from "../domain/ProxyConfig.js"
import { isSocket, longestPath, removeStale, socketBeside, socketsBeside } from "./SocketPlaces.js"

/** The Unix socket that was asked for cannot be had. `problem` and `hint` are phrases. */
export class AdminSocketError extends Data.TaggedError("AdminSocketError")<{
  readonly path: string
  readonly problem: string
  readonly hint: string
}> {
  override get message(): string {
    return `cannot listen on ${this.path}: ${this.problem}; ${this.hint}`
  }
}

/** The file beside which the socket is made that the settings leave to the program; `undefined`: none is made. */
export class AdminSocketBeside extends Context.Reference<AdminSocketBeside>()("@ss-proxy/AdminSocketBeside", {
  defaultValue: (): string | undefined => undefined,
}) {}

const problems: Readonly<Record<string, string>> = {
  EADDRINUSE: "something is there already",
  // libuv says this of a folder that is missing, too.
  EACCES: "there is no such folder, or it may not be written",
  EPERM: "not allowed to make it there",
  EROFS: "the file system is read-only",
  ENOTDIR: "there is no such folder",
  EINVAL: "no socket can be there",
}

const problemOf = (cause: Error): string => {
  const code = "code" in cause && typeof cause.code === "string" ? cause.code : ""
  return problems[code] ?? (code === "" ? cause.message : code)
}

/**
 * Begins to listen on a path, which nobody else but the group may use, from the first moment on: the rights that this process
 * takes from new files are in force when the socket is made, in this very turn of the event loop.
 */
const listenAt = (server: Server, path: string, mode: number): Effect.Effect<void, Error> =>
  Effect.async((resume) => {
    const failed = (cause: Error) => resume(Effect.fail(cause))
    server.once("error", failed)
    const mask = process.umask(0o777 & ~mode)
    try {
      server.listen(path, () => {
        server.removeListener("error", failed)
        resume(Effect.void)
      })
    } finally {
      process.umask(mask)
    }
  })

/** A process that ends at once does not close its servers, which would remove their sockets. */
const removeAtExit = (path: string): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const remove = () => rmSync(path, { force: true })
      process.once("exit", remove)
      return remove
    }),
    (remove) => Effect.sync(() => process.removeListener("exit", remove)),
  )

const open = (server: Server, path: string, mode: number): Effect.Effect<void, AdminSocketError, Scope.Scope> =>
  Effect.gen(function* () {
    const refuse = (problem: string) =>
      new AdminSocketError({ path, problem, hint: "choose another path with --admin-socket, or say off" })
    if (Buffer.byteLength(path) > longestPath) return yield* refuse(`the path has more than ${longestPath} bytes`)
    if (isSocket(path) && !(yield* removeStale(path))) return yield* refuse("another process listens there")
    yield* Effect.mapError(listenAt(server, path, mode), (cause) => refuse(problemOf(cause)))
    yield* removeAtExit(path)
  })

/** The socket that the program makes by itself. That it cannot be made is no reason not to run. */
const openBeside = (
  server: Server,
  filename: string,
  mode: number,
): Effect.Effect<string | undefined, never, Scope.Scope> =>
  Effect.gen(function* () {
    const path = socketBeside(filename)
    const left = socketsBeside(filename)
    yield* open(server, path, mode)
    yield* Effect.forkScoped(Effect.forEach(left, removeStale, { concurrency: 8, discard: true }))
    return path
  }).pipe(
    Effect.catchAll(({ path, problem }) =>
      Effect.as(Effect.logInfo(`there is no admin socket: cannot listen on ${path}: ${problem}`), undefined),
    ),
  )

/** Listens on the Unix socket that the settings ask for. Gives its path; `undefined` where there is none. */
export const listenOnSocket = (
  server: Server,
  { adminSocket, adminSocketMode }: Pick<ProxySettings, "adminSocket" | "adminSocketMode">,
): Effect.Effect<string | undefined, AdminSocketError, Scope.Scope> =>
  Effect.gen(function* () {
    const beside = yield* AdminSocketBeside
    switch (adminSocket) {
      case "off":
        return undefined
      case "auto":
        return beside === undefined ? undefined : yield* openBeside(server, beside, adminSocketMode)
      default:
        yield* open(server, adminSocket, adminSocketMode)
        return adminSocket
    }
  })
