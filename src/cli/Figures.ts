import { sizeText } from "../log/Amounts.js"

// How numbers are shown in few columns. What is not known is "-".

const unknown = "-"

export const grouped = (whole: number): string => String(whole).replace(/\B(?=(\d{3})+$)/g, ",")

/** A count: `0`, `812`, `12,411`. */
export const numberText = (value: number | undefined): string =>
  value === undefined ? unknown : grouped(Math.round(value))

/** What was measured. With a decimal where it is small, also if that is 0, so that it does not jump: `0`, `0.4`, `8.0`, `12`. */
export const rateText = (value: number | undefined): string => {
  if (value === undefined || value === 0 || value >= 9.95) return numberText(value)
  return value < 0.05 ? "<0.1" : value.toFixed(1)
}

/** Milliseconds, without their unit up to ten seconds: `0.9`, `18`, `12 s`. */
export const millisecondsText = (value: number | undefined): string =>
  value !== undefined && value >= 10_000 ? `${grouped(Math.round(value / 1_000))} s` : rateText(value)

/** The same with its unit: `0.9 ms`, `12 s`. */
export const latencyText = (value: number | undefined): string =>
  value === undefined || value >= 10_000 ? millisecondsText(value) : `${millisecondsText(value)} ms`

/** Bytes in units of a thousand: `0 B`, `1.2 MB`, `212 MB`. */
export const bytesText = (bytes: number | undefined): string =>
  bytes === undefined ? unknown : sizeText(Math.round(bytes))

const timeUnits = [
  ["d", 86_400],
  ["h", 3_600],
  ["m", 60],
  ["s", 1],
] as const

/** Seconds, in the largest unit alone: `0s`, `41m`, `3d`. */
export const secondsText = (seconds: number | undefined): string => {
  if (seconds === undefined) return unknown
  const [name, size] = timeUnits.find(([, size]) => seconds >= size) ?? ["s", 1]
  return `${grouped(Math.floor(seconds / size))}${name}`
}

/** Seconds, in the two largest units: `3d 4h`, `12m 5s`. */
export const longSecondsText = (seconds: number): string => {
  const at = timeUnits.findIndex(([, size]) => seconds >= size)
  const [name, size] = timeUnits[at] ?? ["s", 1]
  const next = timeUnits[at + 1]
  const rest = next === undefined || at < 0 ? "" : ` ${Math.floor((seconds % size) / next[1])}${next[0]}`
  return `${Math.floor(seconds / size)}${name}${rest}`
}
