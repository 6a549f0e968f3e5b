// Long-lived connections: event streams and WebSockets.
import { eventInterval } from "../origin/Answers.mjs"
import { nodeLoad } from "../load/NodeLoad.mjs"
import { openEventStream, openEcho } from "../load/FirstWords.mjs"
import { common, cpuPer } from "./Workload.mjs"

const kibibyte = 1024
const streams = 200

/**
 * @param {string} name
 * @param {number} connections
 * @param {number} inFlight
 * @param {number} size
 * @returns {import("./Workload.mjs").Workload}
 */
const echo = (name, connections, inFlight, size) => ({
  name,
  title: `WebSocket echo: ${connections} connections, ${inFlight} in flight, ${size < 1024 ? `${size} B` : `${size / 1024} KiB`}`,
  origin: "streams",
  needs: "webSockets",
  figures: [cpuPer("echo"), common.perSecond, common.p50, common.p99, common.memory, common.errors],
  check: ({ port }) => openEcho(port, "/ws/bench", size),
  measure: ({ port, pids }, { seconds, warmUp, round }) =>
    nodeLoad("Echo", {
      port,
      pids,
      seconds: round === 0 ? warmUp : seconds,
      warmUp: 0.1,
      path: "/ws/bench",
      connections,
      inFlight,
      size,
    }),
})

/** @type {import("./Workload.mjs").Workload[]} */
export const staying = [
  {
    name: "events",
    title: `${streams} event streams, an event each every ${eventInterval} ms`,
    origin: "streams",
    needs: "any",
    figures: [cpuPer("event"), common.perSecond, common.p50, common.p99, common.memory, common.errors],
    check: ({ port }) => openEventStream(port, "/bench/events"),
    measure: ({ port, pids }, { seconds, warmUp, round }) =>
      nodeLoad("EventStreams", {
        port,
        pids,
        seconds: round === 0 ? warmUp : seconds,
        warmUp: 0.1,
        path: "/bench/events",
        streams,
      }),
  },
  echo("ws-single", 32, 1, 64),
  echo("ws-many", 32, 16, 64),
  echo("ws-large", 8, 4, 16 * kibibyte),
  {
    name: "ws-idle",
    title: "2,000 idle WebSockets",
    origin: "streams",
    needs: "webSockets",
    figures: [
      { key: "each", title: "KiB each", digits: 1, of: ({ growth = 0, count }) => growth / count / kibibyte },
      common.memory,
      common.errors,
    ],
    check: ({ port }) => openEcho(port, "/ws/bench", 64),
    measure: ({ port, pids }) => nodeLoad("IdleSockets", { port, pids, seconds: 2, path: "/ws/bench", sockets: 2000 }),
    rounds: 1,
    warmUp: false,
  },
]
