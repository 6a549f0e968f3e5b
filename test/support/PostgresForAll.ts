import { Effect, Exit, Scope } from "effect"
import { once } from "node:events"
import { rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TestProject } from "vitest/node"
import { PostgresServer, type ServerPlace } from "./PostgresServer.js"

declare module "vitest" {
  export interface ProvidedContext {
    readonly postgres: string
  }
}

/**
 * Runs once for all test files, in a process of its own: starts a server of PostgreSQL when the first file asks for it, and
 * ends it when all have ended.
 */
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const scope = Effect.runSync(Scope.make())
  let started: Promise<ServerPlace> | undefined
  const name = `ss-proxy-postgres-${process.pid}`
  // Windows has no sockets in folders.
  const path = process.platform === "win32" ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.sock`)
  const asked = createServer((socket) => {
    socket.on("error", () => {})
    started ??= Effect.runPromise(Scope.extend(PostgresServer.make(), scope))
    started.then(
      ({ folder, port }) => socket.end(JSON.stringify({ folder, port })),
      (error: unknown) => socket.end(JSON.stringify({ error: String(error) })),
    )
  })
  asked.listen(path)
  await once(asked, "listening")
  provide("postgres", path)
  return async () => {
    asked.close()
    rmSync(path, { force: true })
    await started?.catch(() => {})
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
}
