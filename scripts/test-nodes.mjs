// `npm run test:nodes`: runs the fast tests, and `--version` of the built program, on every supported version of Node.
// The npm package `node` provides the versions, in a temporary folder. A version that is not available is reported and
// skipped; a failing test is a failure.
//
// The native part of better-sqlite3 is compiled for one version of Node, that of `npm ci`. On the others SQLite is that of
// Node itself, where it has one that can be used: there the tests of stores run, too.
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { runFastTests } from "./test-fast.mjs"

const versions = ["20", "22", "24"]

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const program = join(root, "dist", "bin.js")
const vitest = join(root, "node_modules", "vitest", "vitest.mjs")
const temporary = mkdtempSync(join(tmpdir(), "ss-proxy-nodes-"))
process.on("exit", () => rmSync(temporary, { recursive: true, force: true }))

const say = (text) => process.stdout.write(`\n=== ${text}\n`)

/** The output of a node binary with these arguments; `undefined` if it fails. */
const answerOf = (node, args) => {
  const { status, stdout } = spawnSync(node, args, { encoding: "utf8" })
  return status === 0 ? stdout.trim() : undefined
}

/** The path of a node binary of this major version: the one that runs this script, or one that npm installs. */
const nodeOf = (version) => {
  if (process.versions.node.startsWith(`${version}.`)) return process.execPath
  const folder = join(temporary, version)
  mkdirSync(folder)
  // The install script of the package chooses the binary for this machine.
  writeFileSync(join(folder, "package.json"), '{ "private": true, "allowScripts": { "node": true } }')
  const options = ["--no-save", "--no-fund", "--no-audit", "--loglevel=error"]
  spawnSync("npm", ["install", "--prefix", folder, ...options, `node@${version}`], {
    stdio: "inherit",
    timeout: 120_000,
  })
  return join(folder, "node_modules", "node", "bin", "node")
}

/** The tests of sessions in SQLite, as vitest selects them. */
const storeTests = ["test/sessions/Sqlite", "test/sessions/IdCase", "test/sessions/SessionSteps"]

/** The first version whose own SQLite can be used. */
const firstWithSqlite = 24

const runStoreTests = (node) => {
  const done = spawnSync(node, [vitest, "run", ...storeTests], { cwd: root, stdio: "inherit" })
  return done.status ?? 1
}

/** The problem on a version; `undefined` if there is none. */
const tryOn = (version) => {
  const node = nodeOf(version)
  const found = existsSync(node) ? answerOf(node, ["--version"]) : undefined
  if (found === undefined) return { version, isMissing: true, problem: "could not be had: NOT TESTED" }
  say(`Node ${found}`)
  if (existsSync(program) && answerOf(node, [program, "--version"]) === undefined)
    return { version, isMissing: false, problem: "does not run the built program" }
  const failed = runFastTests(node) !== 0 || (Number(version) >= firstWithSqlite && runStoreTests(node) !== 0)
  return failed ? { version, isMissing: false, problem: "has tests that fail" } : undefined
}

const problems = versions.map(tryOn).filter((problem) => problem !== undefined)
for (const { version, problem } of problems) say(`Node ${version} ${problem}`)
if (problems.length === 0) say(`Node ${versions.join(", ")}: all tests pass`)
process.exit(problems.some(({ isMissing }) => !isMissing) ? 1 : 0)
