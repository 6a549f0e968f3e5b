// Replaces wrk if that is not installed, and prints the same line: `node Autocannon.mjs JSON`.
import autocannon from "autocannon"

const { port, connections, seconds, path, body, sessions } = JSON.parse(process.argv[2] ?? "{}")

/** The same sessions as in sessions.lua. The step makes each session occur once before the first repetition. */
const everySession = () => Array.from({ length: sessions }, (_, at) => ({ path: `/s${(at * 7919) % sessions}/small` }))

const result = await autocannon({
  url: `http://127.0.0.1:${port}${path}`,
  connections,
  duration: Math.max(1, Math.round(seconds)),
  ...(body === undefined ? {} : { method: "POST", body, headers: { "content-type": "application/json" } }),
  ...(sessions === undefined ? {} : { requests: everySession() }),
})

const line = {
  count: result.requests.total,
  micros: result.duration * 1e6,
  p50: result.latency.p50 * 1000,
  p99: result.latency.p99 * 1000,
  errors: result.errors + result.timeouts,
  refused: result.non2xx,
}
process.stdout.write(`RESULT ${JSON.stringify(line)}\n`)
