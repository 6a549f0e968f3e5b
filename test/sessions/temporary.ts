import { Effect, type Scope } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** An empty folder that is gone with the scope. */
export const temporaryFolder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "ss-proxy-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 })),
)

/** The path of a file, not yet made, in a folder of its own. */
export const temporaryFile = (name: string): Effect.Effect<string, never, Scope.Scope> =>
  Effect.map(temporaryFolder, (folder) => join(folder, name))
