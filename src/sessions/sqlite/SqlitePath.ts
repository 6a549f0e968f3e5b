import { Effect } from "effect"
import { accessSync, constants, realpathSync, statSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { StoreUnavailable } from "../../domain/ProxyError.js"

const refuse = (problem: string, hint: string) => Effect.fail(new StoreUnavailable({ problem, hint }))

/** Whether this process may write a file, or into a folder. */
export const isWritable = (path: string): boolean => {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/**
 * The absolute path of a database. Refuses what SQLite would only report as "unable to open": a missing folder, a
 * folder or a device in place of the file, no permission to write. `readonly`: the file must exist, and need not be writable.
 */
export const usablePath = (filename: string, readonly: boolean): Effect.Effect<string, StoreUnavailable> =>
  Effect.try({ try: () => check(filename, readonly), catch: unreachable(filename) }).pipe(Effect.flatten)

const unreachable = (filename: string) => (cause: unknown) =>
  new StoreUnavailable({
    problem: `${filename} cannot be reached (${cause instanceof Error && "code" in cause ? String(cause.code) : "unknown"})`,
    hint: "Check the path, and that the proxy's user may enter every folder on it.",
    cause,
  })

const check = (filename: string, readonly: boolean): Effect.Effect<string, StoreUnavailable> => {
  // SQLite would make a separate database for each connection.
  if (filename === "" || filename === ":memory:")
    return refuse(`"${filename}" is not a file`, "Name a file with --db-path, such as ./sessions.db.")
  const path = resolve(filename)
  if (!statSync(dirname(path), { throwIfNoEntry: false })?.isDirectory())
    return refuse(`the folder of ${filename} does not exist`, "Make the folder, or name another file with --db-path.")
  const file = statSync(path, { throwIfNoEntry: false })
  if (file?.isDirectory()) return refuse(`${filename} is a folder`, "Name a file in it with --db-path.")
  // To open a pipe may take for ever.
  if (file?.isFile() === false)
    return refuse(`${filename} is not a file`, "Move it away, or name another file with --db-path.")
  if (readonly)
    return file === undefined
      ? refuse(`${filename} does not exist`, "Name the right file with --db-path; the proxy makes it when it starts.")
      : Effect.succeed(path)
  const real = file === undefined ? path : realpathSync(path)
  const hint =
    "Give the proxy's user write permission on the file and on its folder, or name another file with --db-path."
  if (file !== undefined && !isWritable(real)) return refuse(`${filename} is read-only`, hint)
  // SQLite makes its journal or WAL beside the file.
  if (!isWritable(dirname(real))) return refuse(`the folder of ${filename} is read-only`, hint)
  return Effect.succeed(path)
}
