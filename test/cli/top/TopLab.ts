import * as fc from "fast-check"
import type { Key } from "../../../src/cli/top/Keys.js"
import type { LiveRow, Rates, SessionRow, Snapshot } from "../../../src/cli/top/Snapshot.js"
import { initialState, seen, type TopState } from "../../../src/cli/top/TopState.js"
import type { Line } from "../../../src/cli/top/Line.js"

export const textOf = (line: Line): string => line.map(({ text }) => text).join("")

/** The screen as text, without the spaces at the ends of lines. */
export const pictureOf = (lines: ReadonlyArray<Line>): string => lines.map((line) => textOf(line).trimEnd()).join("\n")

const noRates: Rates = {
  requestsPerSecond: 0,
  errorsPerSecond: 0,
  bytesInPerSecond: 0,
  bytesOutPerSecond: 0,
  p50: undefined,
  p99: undefined,
}

export const sessionRow = (id: string, more: Partial<SessionRow> = {}): SessionRow => ({
  ...noRates,
  id,
  state: "ok",
  status: "active",
  drainingUntil: undefined,
  requests: 0,
  streams: 0,
  websockets: 0,
  lastError: undefined,
  lastReason: undefined,
  idle: 0,
  ...more,
})

export const snapshotOf = (sessions: ReadonlyArray<SessionRow>, more: Partial<Snapshot> = {}): Snapshot => ({
  time: 0,
  totals: {
    ...noRates,
    version: "0.4.0",
    processes: 1,
    draining: 0,
    uptime: 5,
    streams: 0,
    websockets: 0,
    sessions: sessions.length,
  },
  sessions,
  hasMore: false,
  missing: [],
  asOf: undefined,
  ...more,
})

/** A screen of this size, after proxies have said this. */
export const stateOf = (sessions: ReadonlyArray<SessionRow>, columns = 80, rows = 24): TopState =>
  seen(initialState("requests", "", columns, rows), snapshotOf(sessions), undefined)

export const typed = (character: string): Key => ({ _tag: "Typed", character })

/** Any text. The one of fast-check takes seconds until it is there. */
export const anyText = (maxLength: number): fc.Arbitrary<string> =>
  fc.array(fc.integer({ min: 0, max: 0x10ffff }), { maxLength }).map((codes) => String.fromCodePoint(...codes))

// What anybody could name a session, and send as a target or a user agent.
const hostile = fc.oneof(
  anyText(60),
  fc.string({ maxLength: 60 }),
  fc.constantFrom(
    "\u001b[2J\u001b[H",
    "漢字".repeat(30),
    "a\nb\r\tc",
    "e\u0301".repeat(40),
    "👩‍👩‍👧‍👦🇩🇪",
    "\u202e evil",
    "\u0000",
    "x".repeat(4_096),
  ),
)
const amount = fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1e15, noNaN: true }))
const known = fc.option(amount, { nil: undefined })
const rates = {
  requestsPerSecond: known,
  errorsPerSecond: known,
  bytesInPerSecond: known,
  bytesOutPerSecond: known,
  p50: known,
  p99: known,
}

const sessions: fc.Arbitrary<SessionRow> = fc.record({
  ...rates,
  id: hostile,
  state: fc.constantFrom("ok", "failing", "draining", "closed"),
  status: hostile,
  drainingUntil: known,
  requests: amount,
  streams: amount,
  websockets: amount,
  lastError: fc.option(hostile, { nil: undefined }),
  lastReason: fc.option(hostile, { nil: undefined }),
  idle: known,
})

const live: fc.Arbitrary<LiveRow> = fc.record({
  id: hostile,
  kind: hostile,
  age: amount,
  silent: amount,
  client: hostile,
  bytesIn: amount,
  bytesOut: amount,
  request: hostile,
})

const snapshots: fc.Arbitrary<Snapshot> = fc.record({
  time: fc.nat(),
  totals: fc.record({
    ...rates,
    version: fc.constant("0.4.0"),
    processes: fc.nat(),
    draining: fc.nat(),
    uptime: amount,
    streams: amount,
    websockets: amount,
    sessions: fc.nat(),
  }),
  sessions: fc.array(sessions, { maxLength: 40 }),
  hasMore: fc.boolean(),
  missing: fc.array(hostile, { maxLength: 3 }),
  asOf: known,
})

const named = fc.constantFrom(
  ...(["up", "down", "page-up", "page-down", "home", "end", "enter", "escape", "backspace"] as const),
)

export const keys: fc.Arbitrary<Key> = fc.oneof(
  fc.record({ _tag: fc.constant("Named" as const), name: named }),
  fc.record({ _tag: fc.constant("Typed" as const), character: fc.constantFrom(..."skdrp/?hyqnx漢") }),
  fc.record({ _tag: fc.constant("Pasted" as const), text: hostile }),
)

/** What happens to a screen: a key, an answer, silence, another size. */
export type Happening =
  | { readonly _tag: "Key"; readonly key: Key }
  | { readonly _tag: "Seen"; readonly snapshot: Snapshot; readonly live: ReadonlyArray<LiveRow> }
  | { readonly _tag: "Silent"; readonly problem: string }
  | { readonly _tag: "Resized"; readonly columns: number; readonly rows: number }

export const happenings: fc.Arbitrary<ReadonlyArray<Happening>> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ _tag: fc.constant("Key" as const), key: keys }) },
    fc.record({ _tag: fc.constant("Seen" as const), snapshot: snapshots, live: fc.array(live, { maxLength: 20 }) }),
    fc.record({ _tag: fc.constant("Silent" as const), problem: hostile }),
    fc.record({ _tag: fc.constant("Resized" as const), columns: fc.nat(260), rows: fc.nat(60) }),
  ),
  { maxLength: 25 },
)
