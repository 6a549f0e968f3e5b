import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

/** A database of better-sqlite3; `undefined` where that was built for another version of Node (`npm run test:nodes`). */
const better = (() => {
  try {
    const Sqlite = createRequire(import.meta.url)("better-sqlite3")
    return new Sqlite(":memory:")
  } catch {
    return undefined
  }
})()
const standIn = fileURLToPath(new URL("test/support/NodeSqliteProgram.ts", import.meta.url))

export default defineConfig({
  resolve: { alias: better === undefined ? { "better-sqlite3": standIn } : {} },
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/PostgresForAll.ts"],
    setupFiles: ["test/support/KeptDatabases.ts"],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    reporters: ["default"],
  },
})
