// All workloads, in the order of the report.
import { bulk } from "./Bulk.mjs"
import { answeredAlone } from "./Own.mjs"
import { quiet } from "./Quiet.mjs"
import { small } from "./Small.mjs"
import { staying } from "./Streams.mjs"
import { table } from "./Table.mjs"

export const workloads = [...small, ...bulk, ...staying, ...answeredAlone, ...table, ...quiet]
