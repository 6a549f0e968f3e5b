// `npm run test:nodes`: the fast tests on every version of Node that is supported, and the built program's first words on
// each. The npm package `node` brings the versions, into a temporary folder. A version that cannot be had is reported and
// left out; a test that fails on one is a failure.
//
// Left out here is what needs better-sqlite3: its native part is compiled for one version of Node, that of `npm ci`.
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { runFastTests } from "./test-fast.mjs"

const versions = ["20", "22", "24"]

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const program = join(root, "dist", "bin.js")
const temporary = mkdtempSync(join(tmpdir(), "ss-proxy-nodes-"))
process.on("exit", () => rmSync(temporary, { recursive: true, force: true }))

const say = (text) => process.stdout.write(`\n=== ${text}\n`)

/** What a Node says of itself, or of a program; `undefined` where it does not run. */
const answerOf = (node, args) => {
  const { status, stdout } = spawnSync(node, args, { encoding: "utf8" })
  return status === 0 ? stdout.trim() : undefined
}

/** The path of a Node of this major version: the one that runs this, or one that npm brings. */
const nodeOf = (version) => {
  if (process.versions.node.startsWith(`${version}.`)) return process.execPath
  const folder = join(temporary, version)
  mkdirSync(folder)
  // Its install script picks the program for this machine.
  writeFileSync(join(folder, "package.json"), '{ "private": true, "allowScripts": { "node": true } }')
  const options = ["--no-save", "--no-fund", "--no-audit", "--loglevel=error"]
  spawnSync("npm", ["install", "--prefix", folder, ...options, `node@${version}`], {
    stdio: "inherit",
    timeout: 120_000,
  })
  return join(folder, "node_modules", "node", "bin", "node")
}

/** What went wrong on a version; `undefined` for nothing. */
const tryOn = (version) => {
  const node = nodeOf(version)
  const found = existsSync(node) ? answerOf(node, ["--version"]) : undefined
  if (found === undefined) return { version, isMissing: true, problem: "could not be had: NOT TESTED" }
  say(`Node ${found}`)
  if (existsSync(program) && answerOf(node, [program, "--version"]) === undefined)
    return { version, isMissing: false, problem: "does not run the built program" }
  return runFastTests(node) === 0 ? undefined : { version, isMissing: false, problem: "has tests that fail" }
}

const problems = versions.map(tryOn).filter((problem) => problem !== undefined)
for (const { version, problem } of problems) say(`Node ${version} ${problem}`)
if (problems.length === 0) say(`Node ${versions.join(", ")}: all fast tests pass`)
process.exit(problems.some(({ isMissing }) => !isMissing) ? 1 : 0)
