// The targets of ss-proxy: limits for a figure, or for its ratio to the figure of another proxy in the same run.

/**
 * Targets against `rust`, the program that this one replaces, can be judged only with `--beside rust=BINARY`.
 *
 * @typedef {object} Target
 * @property {string} workload
 * @property {string} figure key of the figure
 * @property {string} [against] the proxy to compare with
 * @property {"at most" | "at least" | "below"} is
 * @property {number} limit
 * @property {string} title
 */

/** @type {Target[]} */
export const targets = [
  { workload: "get", figure: "cpu", against: "reply-from", is: "at most", limit: 0.5, title: "CPU of a GET" },
  { workload: "get", figure: "cpu", against: "floor", is: "at most", limit: 0.8, title: "CPU of a GET" },
  { workload: "get", figure: "cpu", against: "rust", is: "at most", limit: 0.5, title: "CPU of a GET" },
  { workload: "get", figure: "perSecond", against: "rust", is: "at least", limit: 1.3, title: "GETs a second" },
  { workload: "get", figure: "p99", against: "reply-from", is: "at most", limit: 0.8, title: "p99 at 64 connections" },
  { workload: "post", figure: "cpu", against: "http-proxy", is: "at most", limit: 0.45, title: "CPU of a POST" },
  { workload: "post", figure: "cpu", against: "floor", is: "at most", limit: 0.75, title: "CPU of a POST" },
  { workload: "post", figure: "cpu", against: "rust", is: "at most", limit: 0.5, title: "CPU of a POST" },
  { workload: "large", figure: "cpu", against: "http-proxy", is: "at most", limit: 0.7, title: "CPU of 64 KiB" },
  { workload: "download", figure: "cpu", against: "http-proxy", is: "at most", limit: 1, title: "CPU of a GiB down" },
  { workload: "download", figure: "growth", is: "below", limit: 40, title: "memory growth, MiB, down" },
  { workload: "upload", figure: "cpu", against: "http-proxy", is: "at most", limit: 1, title: "CPU of a GiB up" },
  { workload: "upload", figure: "growth", is: "below", limit: 40, title: "memory growth, MiB, up" },
  { workload: "events", figure: "cpu", against: "http-proxy", is: "at most", limit: 0.85, title: "CPU of an event" },
  { workload: "ws-single", figure: "cpu", against: "http-proxy", is: "at most", limit: 1.1, title: "CPU of an echo" },
  { workload: "ws-many", figure: "cpu", against: "http-proxy", is: "at most", limit: 1.1, title: "CPU of an echo" },
  { workload: "ws-large", figure: "cpu", against: "http-proxy", is: "at most", limit: 1.1, title: "CPU of an echo" },
  {
    workload: "ws-idle",
    figure: "each",
    against: "http-proxy",
    is: "at most",
    limit: 1,
    title: "memory of an idle WebSocket",
  },
  { workload: "sessions", figure: "share", is: "at least", limit: 0.85, title: "req/s, of those with one session" },
  { workload: "million", figure: "memory", is: "below", limit: 250, title: "memory, MiB" },
  { workload: "million", figure: "p50", is: "below", limit: 1, title: "cold lookup p50, ms" },
  { workload: "commit", figure: "p99", is: "below", limit: 10, title: "in force p99, ms" },
  { workload: "start", figure: "version", is: "below", limit: 300, title: "--version, ms" },
  { workload: "start", figure: "run", is: "below", limit: 800, title: "run to first 200, ms" },
]

/**
 * The proxies that must run a workload, so that its targets can be judged.
 *
 * @param {string} workload
 * @returns {string[]}
 */
export const neededFor = (workload) => [
  "ss-proxy",
  ...new Set(targets.flatMap((target) => (target.workload === workload && target.against ? [target.against] : []))),
]
