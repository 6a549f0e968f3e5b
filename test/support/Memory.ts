import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

setFlagsFromString("--expose-gc")
const collect: unknown = runInNewContext("gc")

/** Bytes that this process holds on to, heap and buffers, once everything else has been collected. */
export const liveBytes = (): number => {
  if (typeof collect !== "function") throw new Error("this engine does not let garbage be collected at will")
  for (let round = 0; round < 3; round++) collect()
  const { external, heapUsed } = process.memoryUsage()
  return heapUsed + external
}
