import * as Command from "@effect/cli/Command"
import type { CommandDoc } from "./CommandDoc.js"
import { add, addDoc } from "./sessions/Add.js"
import { copyAllSessions, copyDoc } from "./sessions/Copy.js"
import { drain, drainDoc } from "./sessions/Drain.js"
import { exportAll, exportDoc } from "./sessions/Export.js"
import { importAll, importDoc } from "./sessions/Import.js"
import { kill, killDoc } from "./sessions/Kill.js"
import { list, listDoc } from "./sessions/List.js"
import { remove, removeDoc } from "./sessions/Remove.js"
import { resume, resumeDoc } from "./sessions/Resume.js"
import { set, setDoc } from "./sessions/Set.js"
import { show, showDoc } from "./sessions/Show.js"
import { touch, touchDoc } from "./sessions/Touch.js"
import { watch, watchDoc } from "./sessions/Watch.js"

const sessionsDoc: CommandDoc = {
  path: ["sessions"],
  summary: "Add, list, change and remove sessions.",
  about:
    "The sessions: which id goes to which server. They live in a database that a running proxy watches, so every " +
    "change is in force at once, without a restart. ls and rm are short for sessions list and sessions remove.",
  args: [],
  groups: [],
  examples: [
    ["ss-proxy sessions add my-session http://localhost:9000", "http://PROXY/my-session/… goes to port 9000"],
    ["ss-proxy sessions list", "all sessions"],
    ["ss-proxy sessions remove my-session", "requests for it are answered with 404 from now on"],
  ],
  isGroup: true,
}

export const sessionsDocs: ReadonlyArray<CommandDoc> = [
  sessionsDoc,
  addDoc,
  listDoc,
  showDoc,
  setDoc,
  drainDoc,
  resumeDoc,
  killDoc,
  touchDoc,
  watchDoc,
  removeDoc,
  importDoc,
  exportDoc,
  copyDoc,
]

export const sessions = Command.make("sessions").pipe(
  Command.withDescription(sessionsDoc.summary),
  Command.withSubcommands([
    add,
    list,
    show,
    set,
    drain,
    resume,
    kill,
    touch,
    watch,
    remove,
    importAll,
    exportAll,
    copyAllSessions,
  ]),
)
