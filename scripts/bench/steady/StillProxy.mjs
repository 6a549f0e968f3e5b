// Loaded into the proxy before its own code (`node --expose-gc --import StillProxy.mjs dist/bin.js …`), so that what it
// allocates can be counted. Does what it reads, a word a line, and answers each with a line `HEAP {…}`:
//
//   stop-time  from here on, the clock shows the same moment, and no timer is set that would end after more than a few
//              milliseconds: what is done at intervals is not done any more, and only what is asked for takes memory
//   collect    collects garbage
//   count      does nothing else
import { PerformanceObserver } from "node:perf_hooks"

/** What is shorter than this is no interval, but a step of something that goes on, in milliseconds. */
const shortest = 10
const never = 1e8

const now = performance.now.bind(performance)
const later = globalThis.setTimeout
/** @type {number | undefined} */
let stoppedAt
performance.now = () => stoppedAt ?? now()
globalThis.setTimeout = Object.assign(
  (/** @type {() => void} */ callback, milliseconds = 0, /** @type {any[]} */ ...rest) =>
    later(callback, stoppedAt !== undefined && milliseconds > shortest ? never : milliseconds, ...rest),
  later,
)

let collections = 0
new PerformanceObserver((list) => {
  collections += list.getEntries().length
}).observe({ entryTypes: ["gc"] })

const tell = () => {
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  process.stdout.write(`HEAP ${JSON.stringify({ bytes: heapUsed + arrayBuffers, collections })}\n`)
}

process.stdin
  .setEncoding("latin1")
  .on("data", (word) => {
    if (String(word).startsWith("stop-time")) stoppedAt ??= now()
    if (String(word).startsWith("collect")) globalThis.gc?.()
    // The observer hears of a collection in a later turn.
    later(tell, 20)
  })
  .unref()
