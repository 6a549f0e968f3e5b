// Builds of ss-proxy to compare: of a commit, of this checkout, or one that exists already.
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from "node:fs"
import { join, resolve } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../../", import.meta.url)).replace(/[\\/]$/, "")

/** The build of a checkout, as `npm run build` leaves it. */
const programOf = (/** @type {string} */ checkout) => join(checkout, "dist", "bin.js")

/**
 * @typedef {object} Build
 * @property {string} program its `dist/bin.js`
 * @property {string} about its origin
 * @property {string[]} notes for the reader of the figures
 */

/** @param {string} checkout */
const build = (checkout) => {
  execFileSync(process.execPath, [join(checkout, "scripts", "build.mjs")], {
    cwd: checkout,
    stdio: ["ignore", 2, "inherit"],
  })
}

/**
 * @param {string[]} words
 * @returns {string}
 */
const git = (...words) => execFileSync("git", words, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })

/**
 * The commit that a name means; undefined if git does not know it.
 *
 * @param {string} name
 * @returns {string | undefined}
 */
const commitOf = (name) => {
  try {
    return git("rev-parse", "--verify", "--quiet", "--end-of-options", `${name}^{commit}`).trim()
  } catch {
    return undefined
  }
}

/**
 * Builds a commit in a folder of its own, with the packages of this checkout.
 *
 * @param {string} name
 * @param {string} commit
 * @param {string} folder that does not exist yet
 * @returns {Build}
 */
const buildCommit = (name, commit, folder) => {
  mkdirSync(folder, { recursive: true })
  const files = execFileSync("git", ["archive", "--format=tar", commit], { cwd: root, maxBuffer: 2 ** 30 })
  execFileSync("tar", ["-xf", "-", "-C", folder], { input: files })
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "dir")
  build(folder)
  const [theirs, ours] = [folder, root].map((checkout) => readFileSync(join(checkout, "package-lock.json"), "utf8"))
  const notes = theirs === ours ? [] : ["it is built with this checkout's packages, and its lockfile names others"]
  return { program: programOf(folder), about: `${name} (${commit.slice(0, 10)})`, notes }
}

/** The modification time of the newest file in a folder. */
const newestIn = (/** @type {string} */ folder) =>
  readdirSync(folder, { recursive: true })
    .map((name) => statSync(join(folder, String(name))).mtimeMs)
    .reduce((newest, one) => Math.max(newest, one), 0)

/**
 * @param {string} checkout
 * @returns {Build}
 */
const builtAlready = (checkout) => {
  const program = programOf(checkout)
  const sources = join(checkout, "src")
  const isStale = existsSync(sources) && newestIn(sources) > statSync(program).mtimeMs
  return { program, about: checkout, notes: isStale ? ["its sources are newer than its build"] : [] }
}

/**
 * The build that a word of the command line names: a folder that contains `dist/`, or a commit. Without a word it is a
 * new build of this checkout.
 *
 * @param {string | undefined} word
 * @param {string} folder for the build of a commit; must not exist yet
 * @returns {Build | undefined} undefined if the word is neither
 */
export const buildOf = (word, folder) => {
  if (word === undefined) {
    build(root)
    return { program: programOf(root), about: "this checkout", notes: [] }
  }
  if (existsSync(programOf(resolve(word)))) return builtAlready(resolve(word))
  const commit = commitOf(word)
  return commit === undefined ? undefined : buildCommit(word, commit, folder)
}
