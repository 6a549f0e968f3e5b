import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

setFlagsFromString("--expose-gc")
const collect: unknown = runInNewContext("gc")

/** What this process holds on to once everything else has been collected. */
const afterCollection = (): NodeJS.MemoryUsage => {
  if (typeof collect !== "function") throw new Error("this engine does not let garbage be collected at will")
  for (let round = 0; round < 3; round++) collect()
  return process.memoryUsage()
}

/** Bytes that this process holds on to, heap and buffers, once everything else has been collected. */
export const liveBytes = (): number => {
  const { external, heapUsed } = afterCollection()
  return heapUsed + external
}

/** The same, of buffers alone. */
export const liveBufferBytes = (): number => afterCollection().arrayBuffers
