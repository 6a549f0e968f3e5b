/** The field that tells a client how long its request was held (Server-Timing, W3C): a flat pair, of milliseconds. */
export const holdTiming = (milliseconds: number): readonly [name: string, value: string] => [
  "Server-Timing",
  `hold;dur=${Math.round(milliseconds)}`,
]
