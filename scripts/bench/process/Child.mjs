// Programs that the benchmark starts. Each has a process group of its own and never outlives the benchmark.
import { spawn } from "node:child_process"
import { connect, createServer } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { pinned } from "./Machine.mjs"

/** @type {Set<Child>} */
const alive = new Set()

/** Raises the limit of open files to the maximum that the system permits. */
const withOpenFiles = ["/bin/sh", "-c", 'ulimit -n "$(ulimit -Hn)" 2>/dev/null; exec "$@"', "sh"]

/** Length of the kept end of a program's output, for error messages. */
const keptOutput = 4000

export class Child {
  #process
  #output = ""
  #lines = /** @type {string[]} */ ([])
  #wake = /** @type {Array<() => void>} */ ([])

  /**
   * @param {readonly string[]} command
   * @param {import("./Machine.mjs").Side} side which core it runs on
   */
  constructor(command, side) {
    const [file = "", ...args] = [...pinned(side), ...withOpenFiles, ...command]
    this.#process = spawn(file, args, { detached: true, stdio: ["pipe", "pipe", "pipe"] })
    this.ended = new Promise((resolve) => {
      this.#process.once("error", (error) => resolve(error.message))
      this.#process.once("close", (code, signal) => resolve(signal ?? `exit ${code}`))
    })
    this.hasEnded = false
    void this.ended.then(() => {
      this.hasEnded = true
      alive.delete(this)
      this.#wakeAll()
    })
    this.#process.stdin.on("error", () => {})
    this.#process.stderr.on("data", (bytes) => this.#keep(String(bytes)))
    let rest = ""
    this.#process.stdout.setEncoding("utf8").on("data", (text) => {
      this.#keep(text)
      const lines = (rest + text).split("\n")
      rest = lines.pop() ?? ""
      this.#lines.push(...lines)
      this.#wakeAll()
    })
    alive.add(this)
  }

  /** @returns {number} its process id; -1 if it could not be started */
  get pid() {
    return this.#process.pid ?? -1
  }

  /** The end of its output, standard error included. */
  get output() {
    return this.#output.trim()
  }

  /**
   * Writes to its standard input.
   *
   * @param {string} text
   */
  write(text) {
    this.#process.stdin.write(text)
  }

  /** @param {string} text */
  #keep(text) {
    this.#output = (this.#output + text).slice(-keptOutput)
  }

  #wakeAll() {
    for (const wake of this.#wake.splice(0)) wake()
  }

  /**
   * Waits for a line of its output that begins with a word, and returns the rest of the line.
   *
   * @param {string} word
   * @param {number} milliseconds time limit
   * @returns {Promise<string>}
   */
  async line(word, milliseconds) {
    const deadline = Date.now() + milliseconds
    for (;;) {
      const at = this.#lines.findIndex((line) => line.startsWith(`${word} `))
      const [found] = at < 0 ? [] : this.#lines.splice(at, 1)
      if (found !== undefined) return found.slice(word.length + 1)
      const left = deadline - Date.now()
      if (this.hasEnded) throw new Error(`ended (${await this.ended}): ${this.output || "without a word"}`)
      if (left <= 0) throw new Error(`did not say "${word}" within ${milliseconds / 1000} s: ${this.output}`)
      await new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
        const timer = setTimeout(resolve, left)
        this.#wake.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }

  /** @param {NodeJS.Signals} signal */
  #signal(signal) {
    try {
      process.kill(-this.pid, signal)
    } catch {
      // It has ended already.
    }
  }

  /** Ends its process group: politely, and by force after half a second. */
  async stop() {
    if (!this.hasEnded && this.pid > 0) {
      this.#signal("SIGTERM")
      await Promise.race([this.ended, sleep(500, undefined, { ref: false })])
    }
    this.kill()
  }

  /** Ends its process group at once. */
  kill() {
    if (this.pid > 0) this.#signal("SIGKILL")
  }
}

const killAll = () => {
  for (const child of alive) child.kill()
}

process.once("exit", killAll)
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]))
  process.once(signal, () => {
    killAll()
    process.exit(130)
  })

/**
 * A free port, for programs that cannot report the port that the kernel chose.
 *
 * @returns {Promise<number>}
 */
export const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(address !== null && typeof address === "object" ? address.port : 0))
    })
  })

/**
 * Waits until something accepts connections on a port.
 *
 * @param {Child} child the program that should
 * @param {number} port
 * @param {number} milliseconds
 */
export const untilListening = async (child, port, milliseconds) => {
  const deadline = Date.now() + milliseconds
  for (;;) {
    const isOpen = await new Promise((resolve) => {
      const socket = connect(port, "127.0.0.1")
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false))
      socket.once("connect", () => socket.destroy())
    })
    if (isOpen) return
    if (child.hasEnded) throw new Error(`ended (${await child.ended}): ${child.output || "without a word"}`)
    if (Date.now() > deadline) throw new Error(`did not listen within ${milliseconds / 1000} s: ${child.output}`)
    await sleep(3)
  }
}
