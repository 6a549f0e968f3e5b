// Idle WebSockets: measures the proxy's memory for each.
import { setTimeout as sleep } from "node:timers/promises"
import { usageOf } from "../process/ProcessUsage.mjs"
import { openWebSocket } from "./RawHttp.mjs"
import { openWindow } from "./Window.mjs"

/**
 * @param {import("./NodeLoad.mjs").Against & { path: string, sockets: number }} task `seconds` is how long they rest
 */
export const load = async ({ port, pids, seconds, path, sockets }) => {
  let errors = 0
  const before = usageOf(pids).memory
  const close = openWindow(pids)
  const batch = 50
  for (let opened = 0; opened < sockets; opened += batch) {
    const some = await Promise.all(Array.from({ length: batch }, () => openWebSocket(port, path)))
    for (const socket of some)
      socket
        .on("error", () => (errors += 1))
        .on("end", () => (errors += 1))
        .resume()
  }
  await sleep(seconds * 1000)
  const sample = close()
  return { ...sample, count: sockets, errors, growth: sample.memory - before }
}
