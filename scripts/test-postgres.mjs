// `npm run test:postgres`: the tests of sessions in PostgreSQL, on a private server that is gone afterwards. Fails where
// PostgreSQL is not installed, while `npm test` leaves these tests out then. Arguments go to vitest.
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { root, setUp } from "./setup.mjs"

/** Files and folders of tests that need the server, and the tests of their files that do. */
const tests = [
  "test/sessions/postgres/",
  "test/sessions/SessionRepo",
  "test/sessions/SessionDirectory",
  "test/cli/Postgres",
]

setUp()
const vitest = join(root, "node_modules", "vitest", "vitest.mjs")
const args = ["run", "--testNamePattern", "[Pp]ostgre", ...tests, ...process.argv.slice(2)]
const done = spawnSync(process.execPath, [vitest, ...args], {
  cwd: root,
  stdio: "inherit",
  env: { ...process.env, SS_PROXY_TEST_POSTGRES: "needed" },
})
process.exit(done.status ?? 1)
