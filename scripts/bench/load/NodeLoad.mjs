// A load that neither wrk nor autocannon makes: each is a module here whose `load` runs in a process of its own.
import { fileURLToPath } from "node:url"
import { Child } from "../process/Child.mjs"

/** @typedef {{ port: number, pids: readonly number[], seconds: number }} Against */

const program = fileURLToPath(import.meta.url)

/**
 * Runs the load of a module of this folder once.
 *
 * @template {import("./Window.mjs").Sample} [Result=import("./Window.mjs").Sample]
 * @param {string} name of the module
 * @param {Against & Record<string, unknown>} task what its `load` gets
 * @returns {Promise<Result>}
 */
export const nodeLoad = async (name, task) => {
  const child = new Child([process.execPath, program, name, JSON.stringify(task)], "rest")
  try {
    return JSON.parse(await child.line("RESULT", (task.seconds + 20) * 1000))
  } finally {
    child.kill()
  }
}

if (process.argv[1] === program) {
  const [name, task = "{}"] = process.argv.slice(2)
  const { load } = await import(`./${name}.mjs`)
  process.stdout.write(`RESULT ${JSON.stringify(await load(JSON.parse(task)))}\n`, () => process.exit(0))
}
