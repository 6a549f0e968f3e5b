import { grouped } from "./Figures.js"

// Numbers as they stand in a sentence.

/** `1 process`, `2 processes`. */
export const countInWords = (count: number, one: string, many = `${one}s`): string =>
  `${grouped(count)} ${count === 1 ? one : many}`

/** How much is live: `1 request, 12 WebSockets`. */
export const liveInWords = ({ requests, streams, websockets }: LiveCount): string => {
  const kinds = [
    [requests, "request"],
    [streams, "stream"],
    [websockets, "WebSocket"],
  ] as const
  const live = kinds.filter(([count]) => count > 0).map(([count, one]) => countInWords(count, one))
  return live.length === 0 ? "nothing now" : live.join(", ")
}

/** How much is live on a session. */
export interface LiveCount {
  readonly requests: number
  readonly streams: number
  readonly websockets: number
}

/** The largest first. */
const units: ReadonlyArray<readonly [milliseconds: number, one: string, many: string]> = [
  [86_400_000, "day", "days"],
  [3_600_000, "h", "h"],
  [60_000, "min", "min"],
  [1_000, "s", "s"],
]

/** A time that has passed, for people, in one unit: `3 min`. */
export const inWords = (milliseconds: number): string => {
  for (const [size, one, many] of units) {
    const count = Math.floor(milliseconds / size)
    if (count > 0) return `${count} ${count === 1 ? one : many}`
  }
  return "0 s"
}
