import { Clock, Effect, Option } from "effect"
import type { SessionView } from "../../admin/api/SessionViews.js"
import { policyRows } from "../../domain/Policies.js"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import { printable } from "../../wire/PrintableText.js"
import { runningProxies } from "../admin/Proxies.js"
import type { Database } from "../Database.js"
import type { CommandFailed } from "../Failure.js"
import { idCaseInUse, idInNames } from "../IdCase.js"
import { inWords } from "../InWords.js"
import { printDiagnostic, printResult } from "../Output.js"
import { namesOf } from "../SessionNames.js"
import { activityInWords } from "./ActivityView.js"
import { type Detail, nameDetails, renderDetails } from "./Details.js"
import { healthInWords } from "./HealthInWords.js"
import { timesOf } from "./SeenByProxies.js"
import { renderJson } from "./SessionView.js"

type View = typeof SessionView.Type

/** A session while its database is away, and when that was last heard of. */
interface Standing {
  readonly view: View
  readonly asOf: string
}

/** What running proxies serve a session by while the database is away; of several the one that heard of it last. */
const standingAt = (id: string, database: Database): Effect.Effect<Option.Option<Standing>, CommandFailed> =>
  Effect.gen(function* () {
    const proxies = yield* runningProxies(Option.none(), database)
    const found = yield* Effect.forEach(proxies, (proxy) => Effect.option(proxy.sessions.find({ path: { id } })), {
      concurrency: "unbounded",
    })
    const standing = found
      .flatMap(Option.toArray)
      .flatMap((view) => (view.as_of === undefined ? [] : [{ view, asOf: view.as_of }]))
      .toSorted((one, other) => (one.asOf < other.asOf ? 1 : -1))
    return Option.fromNullable(standing[0])
  })

/** RFC 3339 as the database's own times are printed. */
const asStored = (time: string | null): string | null => time?.replace("T", " ").replace(/Z$/, "") ?? null

/** The policies that are set. */
const policyDetails = (view: View): ReadonlyArray<Detail> =>
  Object.values(policyRows).flatMap(({ column, flag, shown }) => {
    const value: unknown = view[column]
    if (flag === undefined || value === undefined || value === null || value === false) return []
    return [[flag, shown ?? String(value)] as const]
  })

const details = (view: View, names: ReadonlyArray<Detail>, now: number): string => {
  const { activity, created_at, draining_until, forwards, health, id, status, updated_at, url } = view
  const idle = activity?.idle_seconds ?? null
  return renderDetails([
    ["id", id],
    ...names,
    ["url", url],
    ["status", forwards || draining_until !== null ? status : `${status} (does not forward)`],
    ...(draining_until === null ? [] : [["drains", `until ${draining_until}`] as const]),
    ...policyDetails(view),
    ...timesOf(view).map((times): Detail => ["active", activityInWords(times, now)]),
    ["idle", idle === null ? "unknown" : inWords(idle * 1_000)],
    ...(health === null ? [] : [["server", healthInWords(health, now)] as const]),
    ["created", created_at === null ? "unknown" : `${asStored(created_at)} UTC`],
    ["updated", updated_at === null ? "unknown" : `${asStored(updated_at)} UTC`],
  ])
}

const jsonOf = ({ asOf, view }: Standing, names: ReadonlyArray<string>): string => {
  const { activity, as_of: _, health, live: __, ...row } = view
  return renderJson({
    ...row,
    created_at: asStored(row.created_at),
    updated_at: asStored(row.updated_at),
    names,
    last_request_at: activity?.last_request_at ?? null,
    last_client_at: activity?.last_client_at ?? null,
    last_server_at: activity?.last_server_at ?? null,
    last_kind: activity?.last_kind ?? null,
    idle_seconds: activity?.idle_seconds ?? null,
    health,
    as_of: asOf,
  })
}

/** What is to be shown, and how. */
export interface ShowChoice {
  readonly id: string
  readonly hosts: ReadonlyArray<string>
  readonly json: boolean
}

/** Shows a session that running proxies know while its database is away, and says so; `fault` where none does. */
export const showStanding = (
  { hosts, id, json }: ShowChoice,
  database: Database,
  fault: StoreUnavailable,
): Effect.Effect<void, CommandFailed | StoreUnavailable> =>
  Effect.gen(function* () {
    const found = yield* standingAt(id, database)
    if (Option.isNone(found)) return yield* fault
    const now = yield* Clock.currentTimeMillis
    const age = inWords(Math.max(0, now - Date.parse(found.value.asOf)))
    yield* printDiagnostic(
      printable(`note: ${fault.problem}; this is what a running proxy knows, which heard of it last ${age} ago`),
    )
    const label = idInNames(id, yield* idCaseInUse)
    yield* printResult(
      json ? jsonOf(found.value, namesOf(label, hosts)) : details(found.value.view, nameDetails(label, hosts), now),
    )
  })
