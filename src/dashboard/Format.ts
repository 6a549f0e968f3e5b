// Numbers and times for people. What is not known is a dash.

const dash = "–"

const scaled = (value: number, step: number, units: ReadonlyArray<string>, gap: string): string => {
  let rest = value
  let unit = 0
  while (rest >= step * 0.9995 && unit < units.length - 1) {
    rest /= step
    unit += 1
  }
  const digits = unit === 0 ? (Number.isInteger(rest) || rest >= 9.95 ? 0 : 1) : rest < 99.95 ? 1 : 0
  return `${rest.toFixed(digits)}${unit === 0 && gap === "" ? "" : gap}${units[unit]}`
}

/** 950, 12.4k, 3.1M. */
export const count = (value: number | null | undefined): string =>
  value === null || value === undefined ? dash : scaled(value, 1_000, ["", "k", "M", "G"], "")

/** All digits, in groups of three. */
export const exact = (value: number): string => value.toLocaleString("en")

/** 17 B, 1.2 MB. */
export const bytes = (value: number | null | undefined): string =>
  value === null || value === undefined ? dash : scaled(value, 1_000, ["B", "kB", "MB", "GB", "TB"], " ")

export const bytesPerSecond = (value: number | null | undefined): string =>
  value === null || value === undefined ? dash : `${bytes(value)}/s`

/** Of something a second; few of it always with a digit behind the point, so that it does not jump: 0, 0.4, 8.0, 12, 1.2k. */
export const rate = (value: number | null | undefined): string =>
  value === null || value === undefined || value === 0 || value >= 9.95 ? count(value) : value.toFixed(1)

/** Milliseconds: 0.4 ms, 18 ms, 2.5 s. */
export const milliseconds = (value: number | null | undefined): string => {
  if (value === null || value === undefined) return dash
  if (value === 0) return "0 ms"
  if (value >= 10_000) return duration(value / 1_000)
  if (value >= 1_000) return `${(value / 1_000).toFixed(1)} s`
  return `${value >= 10 ? value.toFixed(0) : value.toFixed(1)} ms`
}

/** Seconds in the largest unit that fits: 12s, 41m, 3h, 2d. */
export const duration = (seconds: number | null | undefined): string => {
  if (seconds === null || seconds === undefined) return dash
  const whole = Math.max(0, Math.floor(seconds))
  if (whole < 60) return `${whole}s`
  if (whole < 3_600) return `${Math.floor(whole / 60)}m`
  if (whole < 86_400)
    return `${Math.floor(whole / 3_600)}h ${String(Math.floor((whole % 3_600) / 60)).padStart(2, "0")}m`
  return `${Math.floor(whole / 86_400)}d ${Math.floor((whole % 86_400) / 3_600)}h`
}

export const percent = (part: number): string => `${(part * 100).toFixed(part < 0.1 ? 1 : 0)} %`

const two = (value: number): string => String(value).padStart(2, "0")

/** A time of today as 14:02:09, by the clock of the reader; another with its date. */
export const moment = (time: string | null | undefined, now = new Date()): string => {
  if (time === null || time === undefined) return dash
  const at = new Date(time)
  if (Number.isNaN(at.getTime())) return time
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`
  if (at.toDateString() === now.toDateString()) return clock
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clock}`
}

/** Seconds from now until a time; 0 where it is over. */
export const secondsUntil = (time: string, now = Date.now()): number =>
  Math.max(0, Math.ceil((new Date(time).getTime() - now) / 1_000))
