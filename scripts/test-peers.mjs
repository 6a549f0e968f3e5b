// Tests the range of `effect` in package.json at both of its ends: packs the library, installs it as a program of somebody's
// own would, once with the oldest version of effect that the range has and once with the newest, and typechecks and runs
// the programs of docs/LIBRARY.md there. It asks the npm registry. Arguments are versions to try in place of the two ends.
import { execFileSync, spawnSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { manifest, root } from "./bundles.mjs"

const range = manifest.peerDependencies.effect

/** @param {string[]} args @param {string} cwd */
const npm = (args, cwd) => execFileSync("npm", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })

/** The versions that the registry has of this range, the oldest first. */
const versions = () => [JSON.parse(npm(["view", `effect@${range}`, "version", "--json"], root))].flat()

const temporary = mkdtempSync(join(tmpdir(), "ss-proxy-peers-"))
process.on("exit", () => rmSync(temporary, { recursive: true, force: true }))

const packed = () => {
  const answer = npm(["pack", "--json", "--pack-destination", temporary], root)
  // What the build prints comes before.
  const [{ filename }] = JSON.parse(answer.slice(answer.indexOf("[\n")))
  return join(temporary, filename)
}

/** @param {string} tarball @param {string} version */
const works = (tarball, version) => {
  const folder = join(temporary, version)
  mkdirSync(folder)
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }')
  const types = `@types/node@${manifest.devDependencies["@types/node"]}`
  // What the range forbids is only refused by npm: it may be tried here.
  npm(
    ["install", "--no-audit", "--no-fund", "--force", "--ignore-scripts", tarball, `effect@${version}`, types],
    folder,
  )
  // Compiled once is enough: it is another package's, and takes a minute.
  const native = join("node_modules", "better-sqlite3", "build")
  cpSync(join(root, native), join(folder, native), { recursive: true })
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs")
  const env = { ...process.env, SS_PROXY_LIBRARY_MODULES: join(folder, "node_modules") }
  const args = [vitest, "run", "test/docs/Library.test.ts"]
  return spawnSync(process.execPath, args, { cwd: root, env, stdio: "inherit" }).status === 0
}

const given = process.argv.slice(2)
const all = given.length > 0 ? given : versions()
const ends = given.length > 0 ? given : [...new Set([all[0], all.at(-1)])]
const tarball = packed()
const failed = ends.filter((version) => !works(tarball, version))
process.stdout.write(
  failed.length === 0
    ? `effect ${range}: the library works with ${ends.join(" and ")}\n`
    : `effect ${range}: the library does not work with ${failed.join(" and ")}\n`,
)
process.exit(failed.length === 0 ? 0 : 1)
