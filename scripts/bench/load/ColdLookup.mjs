// First requests for sessions that are not in the proxy's memory yet, one after another, and second requests for
// comparison.
import { ask, dial } from "./RawHttp.mjs"
import { openWindow, percentile } from "./Window.mjs"

/**
 * @typedef {object} ColdTask
 * @property {number} first number of the first session to ask for
 * @property {number} lookups how many
 */

/** @param {import("./NodeLoad.mjs").Against & ColdTask} task */
export const load = async ({ port, pids, first, lookups }) => {
  const socket = await dial(port)
  let errors = 0
  /** @param {string} id */
  const wait = async (id) => {
    const since = performance.now()
    if ((await ask(socket, `/${id}/small`)) !== 200) errors += 1
    return performance.now() - since
  }
  for (let i = 0; i < 200; i += 1) await wait("bench")
  const close = openWindow(pids)
  const cold = /** @type {number[]} */ ([])
  const warm = /** @type {number[]} */ ([])
  for (let i = 0; i < lookups; i += 1) {
    cold.push(await wait(`s${first + i}`))
    warm.push(await wait("bench"))
  }
  const [coldMedian, warmMedian] = [percentile(cold, 0.5) ?? 0, percentile(warm, 0.5) ?? 0]
  return { ...close(), count: lookups, errors, p50: coldMedian, p99: percentile(cold, 0.99), warm: warmMedian }
}
