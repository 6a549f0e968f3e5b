import { Effect, type Scope } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { temporaryFolder } from "../sessions/temporary.js"
import { sharedSocket } from "../../src/workers/HeldSocket.js"
import { type PoolOptions, WorkerPool } from "../../src/workers/WorkerPool.js"

/** What a played worker does, once it has been given its task. */
export type Part = "works" | "dies" | "fails" | "is silent" | "asks to be replaced" | "begins when told" | "stays"

/** A process that plays a worker, and loads nothing for it. Its part stands in its command line, by generation. */
const script = `
const tell = (name, body) => process.send({ kind: "notice", name, body })
const accept = () => {
  tell("beat", { connections: 7, loopDelay: 3 })
  tell("ready", { version: "9.9.9", address: { host: "127.0.0.1", port: 1 }, sessions: 0 })
}
let staying = false
const parts = {
  works: () => {
    accept()
    setInterval(() => tell("beat", { connections: 0, loopDelay: 0 }), 50)
  },
  dies: () => {
    accept()
    setTimeout(() => process.exit(3), 10)
  },
  fails: () => {
    tell("failed", { problem: "the moon is too bright", exitCode: 2 })
    setTimeout(() => process.exit(2), 10)
  },
  "is silent": accept,
  "asks to be replaced": () => {
    accept()
    tell("pleaseReplace", {})
  },
  stays: () => {
    staying = true
    parts.works()
  },
  "begins when told": () => process.on("message", ({ name }) => name === "setLogLevel" && parts.works()),
}
process.on("message", ({ name, body }) => {
  if (name === "start") parts[body.words[body.generation - 1] ?? "works"]()
  if ((name === "retire" && !staying) || name === "cut") process.exit(0)
})
`

/** A pool of `count` workers who play these parts: the first of each generation, in their order, then those who work. */
export const playedBy = (
  parts: ReadonlyArray<Part>,
  options: Partial<Pick<PoolOptions, "count" | "longestSilence">> = {},
): Effect.Effect<WorkerPool, never, Scope.Scope> =>
  Effect.gen(function* () {
    const file = join(yield* temporaryFolder, "played.mjs")
    writeFileSync(file, script)
    return yield* WorkerPool.make({
      file: () => file,
      sockets: sharedSocket(2),
      count: 2,
      longestSilence: 60,
      task: () => ({ words: parts, pseudonym: "", ownListeners: [] }),
      ...options,
    })
  })
