// Loaded into the proxy before its own code (`node --expose-gc --import StillProxy.mjs dist/bin.js …`), so that its
// allocations can be counted. Reads commands, one word a line, and answers each with a line `HEAP {…}`:
//
//   stop-time  stops the clock, and ignores timers of more than a few milliseconds: periodic work ends, and only requests
//              allocate memory
//   collect    collects garbage
//   count      does nothing else
import { PerformanceObserver } from "node:perf_hooks"

/** Shorter timers are part of the work under way and not of periodic work, in milliseconds. */
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
    // The observer is told of a collection in a later turn of the event loop.
    later(tell, 20)
  })
  .unref()
