import { Option, Schema } from "effect"
import { closeCode, closeReason, type Reading } from "./Reading.js"

/** How WebSockets of a session that is killed are closed: code and reason (RFC 6455 section 7.4). */
export interface KillClose {
  readonly code: number
  readonly reason: string
}

/**
 * A session takes nothing new from `since` on, and at `until` what is left of it is killed; in milliseconds since the epoch.
 * It goes on until somebody ends it.
 */
export interface SessionDrain {
  readonly since: number
  readonly until: number
}

/** What was asked of a session in the store: that it be killed, that it drain. */
export interface SessionControl {
  /** A number that each kill changes; 0 before the first. */
  readonly kills: number
  /** How the last kill closes WebSockets. */
  readonly close: KillClose
  readonly drain: SessionDrain | undefined
}

/** Other programs write it too, so it may hold invalid values. `problem`: a phrase about the first of them. */
export interface UnusableControl {
  readonly problem: string
  /** As in `SessionControl`; 0 where it cannot be read. */
  readonly kills: number
}

/** What stands in the store. */
export type StoredControl = SessionControl | UnusableControl

/** How WebSockets are closed unless the kill says otherwise. */
export const defaultClose: KillClose = { code: 1001, reason: "the session was killed" }

/** The same at the end of a drain. */
export const drainedClose: KillClose = { code: 1001, reason: "the session was drained" }

/** The same for one thing that an operator ends. */
export const endedClose: KillClose = { code: 1001, reason: "ended by an operator" }

/** The control of a session of which nothing was asked. */
export const noControl: SessionControl = { kills: 0, close: defaultClose, drain: undefined }

/** Whether its values are invalid. */
export const isUnusable = (control: StoredControl): control is UnusableControl => "problem" in control

/** Its drain; none also where its values are invalid. */
export const drainOf = (control: StoredControl): SessionDrain | undefined =>
  isUnusable(control) ? undefined : control.drain

/** Whether both ask the same. */
export const isSameControl = (one: StoredControl, other: StoredControl): boolean => {
  if (one === other) return true
  if (one.kills !== other.kills) return false
  if (isUnusable(one) || isUnusable(other)) return isUnusable(one) && isUnusable(other) && one.problem === other.problem
  if (one.close.code !== other.close.code || one.close.reason !== other.close.reason) return false
  return one.drain?.since === other.drain?.since && one.drain?.until === other.drain?.until
}

const isControl = (value: unknown): value is StoredControl =>
  typeof value === "object" && value !== null && "kills" in value && ("problem" in value || "close" in value)

export const StoredControl = Schema.declare(isControl, { identifier: "StoredControl" })

/** The columns of the table, by the names that a row has for them. All but the reason are numbers. */
export const controlColumns = {
  kills: "kills",
  killCode: "kill_code",
  killReason: "kill_reason",
  drainSince: "drain_since",
  drainUntil: "drain_until",
} as const

/** The texts of these columns; null for NULL. */
export type ControlColumns = Readonly<Record<keyof typeof controlColumns, string | null>>

const largestTime = 8_640_000_000_000_000
// A time of the last decades in seconds is less than this.
const smallestTime = 100_000_000_000

/** A drain from `since` on that takes `grace` milliseconds, as far as a date can tell it. */
export const drainFor = (since: number, grace: number): SessionDrain => ({
  since,
  until: Math.min(Math.ceil(since + grace), largestTime),
})

const number = (pattern: RegExp, least: number, most: number) => (text: string) =>
  Option.filter(
    pattern.test(text) ? Option.some(Number(text)) : Option.none(),
    (value) => value >= least && value <= most,
  )

/** How a column is read, and what it must hold: completes "it must be …". */
interface Column<A> {
  readonly read: (text: string) => Option.Option<A>
  readonly allowed: string
}

const kills: Column<number> = {
  read: number(/^\d+$/, 0, Number.MAX_SAFE_INTEGER),
  allowed: "a whole number, or NULL",
}
const time: Column<number> = {
  read: number(/^\d+(\.\d+)?$/, smallestTime, largestTime),
  allowed: "a time in milliseconds since 1970, or NULL in both of drain_since and drain_until",
}
const orNull = <A>({ read, allowed }: Reading<A>): Column<A> => ({ read, allowed: `${allowed}, or NULL` })

/** What the columns of a session's row hold. `createdAt`: when that session was inserted, in milliseconds, if known. */
export const controlOfColumns = (columns: ControlColumns, createdAt: number | undefined): StoredControl => {
  let problem: string | undefined
  const value = <A>(name: keyof ControlColumns, { read, allowed }: Column<A>, missing: A): A => {
    const text = columns[name]
    if (text === null) return missing
    return Option.getOrElse(read(text), () => {
      problem ??= `its ${controlColumns[name]} is ${JSON.stringify(text)}; it must be ${allowed}`
      return missing
    })
  }
  const count = value("kills", kills, 0)
  const code = value("killCode", orNull(closeCode), defaultClose.code)
  const reason = value("killReason", orNull(closeReason), defaultClose.reason)
  const [since, until] = [value("drainSince", time, 0), value("drainUntil", time, 0)]
  if ((columns.drainSince === null) !== (columns.drainUntil === null))
    problem ??= `its ${columns.drainSince === null ? "drain_since" : "drain_until"} is NULL; it must be ${time.allowed}`
  if (problem !== undefined) return { problem, kills: count }
  // A drain is about the session that was there when it began, and not about one that was inserted later under its id.
  const isAbout = since > 0 && (createdAt === undefined || createdAt <= since)
  return { kills: count, close: { code, reason }, drain: isAbout ? { since, until } : undefined }
}
