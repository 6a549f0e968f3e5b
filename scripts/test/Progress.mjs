// What `npm test` shows: on a terminal a line that moves, with the files that are done and the time that is left, and above it the
// files with tests that fail. Elsewhere, a line for each file that is done, as vitest writes it.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { DefaultReporter } from "vitest/reporters"
import { root } from "../setup.mjs"
import { expected, inWords, timeLeft } from "./TimeLeft.mjs"

/** What each file took when it ran last; and what the last run of most files took, as a part of what these took together. */
const record = join(root, "node_modules", ".cache", "test-times.json")

/** @returns {{ files: Record<string, number>, pace: number }} */
const recorded = () => {
  try {
    return JSON.parse(readFileSync(record, "utf8"))
  } catch {
    // There is none yet.
    return { files: {}, pace: 1 }
  }
}

/**
 * All that a file takes of a worker, in milliseconds: its imports take longer than most tests.
 *
 * @param {Parameters<DefaultReporter["onTestModuleEnd"]>[0]} module
 */
const timeOf = (module) => {
  const { collectDuration, duration, environmentSetupDuration, prepareDuration, setupDuration } = module.diagnostic()
  return environmentSetupDuration + prepareDuration + setupDuration + collectDuration + duration
}

/** @param {{ moduleId: string }} module */
const pathOf = ({ moduleId }) => relative(root, moduleId).replaceAll("\\", "/")

const say = (/** @type {string} */ text) => process.stderr.write(text)
const wipe = "\r\u001b[K"

export default class Progress extends DefaultReporter {
  #times = recorded()
  #took = /** @type {Record<string, number>} */ ({})
  #files = /** @type {string[]} */ ([])
  #done = /** @type {string[]} */ ([])
  #failed = 0
  #began = 0
  /** @type {NodeJS.Timeout | undefined} */
  #timer
  #moves = process.stderr.isTTY === true && process.stdout.isTTY === true

  constructor() {
    super({ summary: false })
  }

  /** @param {Parameters<DefaultReporter["onTestRunStart"]>[0]} specifications */
  onTestRunStart(specifications) {
    super.onTestRunStart(specifications)
    this.#files = specifications.map(pathOf)
    this.#began = performance.now()
    const last = expected(this.#files, this.#times.files)
    const guess =
      last === undefined
        ? "how long they take is known after this run"
        : `about ${inWords(last * this.#times.pace)}, by the last run`
    say(`${this.#files.length} ${this.#files.length === 1 ? "file" : "files"} of tests; ${guess}\n`)
    if (this.#moves) this.#timer = setInterval(() => this.#draw(), 1_000).unref()
  }

  /** @param {Parameters<DefaultReporter["onTestModuleEnd"]>[0]} module */
  onTestModuleEnd(module) {
    const path = pathOf(module)
    this.#done.push(path)
    this.#took[path] = timeOf(module)
    const hasFailed = !module.ok()
    if (hasFailed) this.#failed++
    this.#wipe()
    if (hasFailed || !this.#moves) super.onTestModuleEnd(module)
    this.#draw()
  }

  /** @param {Parameters<DefaultReporter["onUserConsoleLog"]>[0]} log */
  onUserConsoleLog(log) {
    this.#wipe()
    super.onUserConsoleLog(log)
  }

  onTestRunEnd() {
    clearInterval(this.#timer)
    this.#wipe()
    this.#moves = false
    super.onTestRunEnd()
    const sum = Object.values(this.#took).reduce((all, time) => all + time, 0)
    const files = { ...this.#times.files, ...this.#took }
    // A few files alone do not run beside each other as all of them do.
    const areMost = sum > 0 && this.#files.length * 2 > Object.keys(files).length
    const pace = areMost ? (performance.now() - this.#began) / sum : this.#times.pace
    mkdirSync(dirname(record), { recursive: true })
    writeFileSync(record, JSON.stringify({ files, pace }))
  }

  #wipe() {
    if (this.#moves) say(wipe)
  }

  #draw() {
    if (!this.#moves) return
    const done = new Set(this.#done)
    const elapsed = performance.now() - this.#began
    const left = this.#files.filter((file) => !done.has(file))
    const time = timeLeft({ done: this.#done, left, elapsed }, this.#times.files)
    const rest = time === undefined ? "" : `, about ${inWords(time)} left`
    const failed = this.#failed === 0 ? "" : `, ${this.#failed} with failures`
    say(`${wipe}${done.size} of ${this.#files.length} files${failed}; ${inWords(elapsed)}${rest}`)
  }
}
