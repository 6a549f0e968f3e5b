// The cost of the table of sessions: many sessions, very many sessions, and changes by another program.
import { join } from "node:path"
import { requests } from "../load/Requests.mjs"
import { nodeLoad } from "../load/NodeLoad.mjs"
import { answers } from "../origin/Answers.mjs"
import { makeSessions } from "../peers/Sessions.mjs"
import { checkAnswer, common, cpuPer } from "./Workload.mjs"

const many = 10_000
const veryMany = 1_000_000
/** Long enough for a slow proxy on a slow machine to open a connection for each session. */
const warmingSeconds = 4

/** @param {import("./Workload.mjs").Subject} subject */
const checkSession = ({ port }) => checkAnswer(port, "/bench/small", { length: answers.small.length })

/** @type {import("./Workload.mjs").Workload[]} */
export const table = [
  {
    name: "sessions",
    title: "10,000 sessions, hit at random",
    origin: "plain",
    needs: "sessions",
    sessions: many,
    figures: [
      {
        key: "share",
        title: "req/s, share of one",
        digits: 2,
        of: ({ count, seconds, one = 0 }) => count / seconds / one,
      },
      common.perSecond,
      cpuPer("request"),
      common.p99,
      common.memory,
      common.errors,
    ],
    check: checkSession,
    measure: async ({ port, pids }, { seconds }) => {
      const path = "/s0/small"
      const before = await requests(port, pids, { path, sessions: 1 }, seconds)
      // Requests every session first, so that each has a connection when the measurement starts. Connections do not
      // last from one round to the next.
      const warming = await requests(port, pids, { path, sessions: many }, warmingSeconds)
      const sample = await requests(port, pids, { path, sessions: many }, seconds)
      const after = await requests(port, pids, { path, sessions: 1 }, seconds)
      const one = (before.count + after.count) / (before.seconds + after.seconds)
      const errors = before.errors + warming.errors + sample.errors + after.errors
      return { ...sample, errors, one }
    },
  },
  {
    name: "million",
    title: "1,000,000 rows",
    origin: "plain",
    needs: "sessions",
    figures: [
      common.memory,
      { ...common.p50, title: "cold lookup p50 ms" },
      { ...common.p99, title: "cold lookup p99 ms" },
      { key: "warm", title: "warm p50 ms", digits: 2, of: ({ warm }) => warm },
      common.errors,
    ],
    database: (folder, originPort) => {
      const file = join(folder, "million.db")
      makeSessions(file, `http://127.0.0.1:${originPort}`, veryMany)
      return file
    },
    check: checkSession,
    measure: ({ port, pids }, { round }) =>
      nodeLoad("ColdLookup", { port, pids, seconds: 10, first: (round * 250_007) % veryMany, lookups: 500 }),
    warmUp: false,
  },
  {
    name: "commit",
    title: "A row added by another program is in force",
    origin: "plain",
    needs: "sessions",
    figures: [common.p50, common.p99, common.errors],
    check: checkSession,
    measure: ({ port, pids, database = "", originPort }, { isQuick, round }) =>
      nodeLoad("OutsideCommit", {
        port,
        pids,
        seconds: 20,
        database,
        origin: `http://127.0.0.1:${originPort}`,
        commits: isQuick ? 50 : 200,
        first: round,
      }),
    warmUp: false,
  },
]
