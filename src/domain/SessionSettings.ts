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
    help: "How often it is written down when sessions were last active, beside the database; 0 never does.",
    guide:
      "How often it is written down when sessions were last active, beside the database ([how](DATABASE.md#activity)). `0` never does.",
  }),
  activityIgnore: setting({
    reading: Reading.pathGlobs,
    fallback: [],
    flag: { name: "activity-ignore" },
    group: "Sessions",
    help: "Paths behind a session's id whose requests are no activity: clients that poll. * is any part of a segment, ** any number of segments.",
    guide:
      "Paths behind a session's id whose requests are no activity ([what is](DATABASE.md#activity)), for clients that poll: `/api/status,/kernels/*/ping`. `*` is any part of a segment, `**` any number of segments.",
  }),
  idCase: setting({
    reading: idCaseRule,
    fallback: "exact",
    flag: { name: "id-case" },
    group: "Sessions",
    help: "fold: ids are compared without regard to the case of A to Z, for MAC addresses. exact: letter by letter.",
    guide:
      "`fold`: ids are compared without regard to the case of A to Z ([how](ROUTING.md#ids-in-any-case)), for MAC addresses. `exact`: letter by letter.",
  }),
  maxStale: setting({
    reading: Reading.secondsFrom(5),
    fallback: 0,
    flag: { name: "max-stale" },
    group: "Sessions",
    help: "For how long known sessions are served and live traffic goes on while the database is away: at least 5. 0: for ever.",
    guide:
      "For how long sessions that are known are served, and live traffic goes on, while the database is away ([what then](DATABASE.md#when-the-database-is-somewhere-else)): at least 5 s. `0`: for ever.",
  }),
}
