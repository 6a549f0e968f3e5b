// Rows that another program adds: measures the time from its commit until a request for the new session is forwarded.
import { setTimeout as sleep } from "node:timers/promises"
import { sessionWriter } from "../peers/Sessions.mjs"
import { ask, dial } from "./RawHttp.mjs"
import { openWindow, percentile } from "./Window.mjs"

/** A longer time counts as an error. */
const giveUp = 5000

/**
 * @param {import("./NodeLoad.mjs").Against & { database: string, origin: string, commits: number, first: number }} task
 */
export const load = async ({ port, pids, database, origin, commits, first }) => {
  const socket = await dial(port)
  const writer = sessionWriter(database, origin)
  let errors = 0
  const delays = /** @type {number[]} */ ([])
  const close = openWindow(pids)
  for (let i = 0; i < commits; i += 1) {
    const id = `new-${first}-${i}`
    const path = `/${id}/small`
    if ((await ask(socket, path)) !== 404) errors += 1
    writer.add(id)
    const since = performance.now()
    while ((await ask(socket, path)) !== 200) if (performance.now() - since > giveUp) break
    const delay = performance.now() - since
    if (delay > giveUp) errors += 1
    delays.push(delay)
    // A random pause, so that commits are not in phase with the proxy's intervals.
    await sleep(Math.random() * 8)
  }
  writer.close()
  return { ...close(), count: commits, errors, p50: percentile(delays, 0.5), p99: percentile(delays, 0.99) }
}
