import * as Reading from "./Reading.js"
import { setting } from "./Setting.js"

/** Whether the case of ASCII letters counts where ids of sessions are compared. */
export const idCaseRule = Reading.oneOf("RULE", ["exact", "fold"])

/** How sessions are known, and what is written down of them. */
export const sessionSettings = {
  activityInterval: setting({
    reading: Reading.seconds,
    fallback: 30_000,
    flag: { name: "activity-interval" },
    group: "Sessions",
    help: "How often the proxy records when sessions were last active, in a file beside the database. 0: never.",
    guide:
      "How often the proxy records when sessions were last active, in a file beside the database ([how](DATABASE.md#activity)). `0`: never.",
  }),
  activityIgnore: setting({
    reading: Reading.pathGlobs,
    fallback: [],
    flag: { name: "activity-ignore" },
    group: "Sessions",
    help: "Requests for these paths, written without the id, do not count as activity: for clients that poll. * is any part of a segment, ** any number of segments.",
    guide:
      "Requests for these paths, written without the id, do not count as [activity](DATABASE.md#activity): for clients that poll, `/api/status,/kernels/*/ping`. `*` is any part of a segment, `**` any number of segments.",
  }),
  idCase: setting({
    reading: idCaseRule,
    fallback: "exact",
    flag: { name: "id-case" },
    group: "Sessions",
    help: "fold: the case of A to Z in ids does not matter, for MAC addresses. exact: it does.",
    guide:
      "`fold`: the case of A to Z in ids does not matter ([how](ROUTING.md#ids-in-any-case)), for MAC addresses. `exact`: it does.",
  }),
  maxStale: setting({
    reading: Reading.secondsFrom(5),
    fallback: 0,
    flag: { name: "max-stale" },
    group: "Sessions",
    help: "How long the proxy serves known sessions, and lets live traffic go on, without its database: at least 5. 0: no limit.",
    guide:
      "How long the proxy serves known sessions, and lets live traffic go on, without its database ([what then](DATABASE.md#when-the-database-is-somewhere-else)): at least 5 s. `0`: no limit.",
  }),
}
