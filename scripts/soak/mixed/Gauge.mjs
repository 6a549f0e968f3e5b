// Loaded into every process of the proxy before its program (NODE_OPTIONS). Whenever the file `ask` in the folder that
// SOAK_GAUGE names has another number, it collects garbage and writes down what is left: bytes of the heap and of buffers,
// and fibers.
import { readFileSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { isMainThread } from "node:worker_threads"

const folder = process.env.SOAK_GAUGE
let answered = 0

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc")

async function measure(asked) {
  // Of the program itself, if it runs Effect: there is one registry of metrics in a process.
  const { Effect, Metric } = await import("effect")
  const { count: fibers } = Effect.runSync(Metric.value(Metric.counter("effect_fiber_active")))
  for (let round = 0; round < 4; round++) {
    collect()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const { arrayBuffers, external, heapUsed, rss } = process.memoryUsage()
  const file = join(folder, `${asked}-${process.pid}`)
  writeFileSync(`${file}.part`, JSON.stringify({ pid: process.pid, heapUsed, external, arrayBuffers, rss, fibers }))
  renameSync(`${file}.part`, `${file}.json`)
}

const look = () => {
  try {
    const asked = Number(readFileSync(join(folder, "ask"), "utf8"))
    if (asked === answered) return
    answered = asked
    measure(asked).catch(() => {})
  } catch {
    // Nobody has asked yet.
  }
}

if (folder !== undefined && isMainThread) setInterval(look, 250).unref()
