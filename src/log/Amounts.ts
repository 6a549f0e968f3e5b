// Sizes and times as people read them in a sentence or a line.

const units = ["kB", "MB", "GB", "TB"] as const

/** A number with one place where it is below 10, else without. */
const rounded = (value: number): string => value.toFixed(value < 9.95 ? 1 : 0)

/** The same without a place that is 0. */
const brief = (value: number): string => rounded(value).replace(/\.0$/, "")

/** `340 B`, `1.0 kB`, `17 MB`: units of 1,000. A size that grows does not jump to fewer places and back. */
export const sizeText = (bytes: number): string => {
  let value = bytes
  let unit = "B"
  for (const next of units) {
    if (value < 999.5) break
    value /= 1_000
    unit = next
  }
  return `${unit === "B" ? String(value) : rounded(value)} ${unit}`
}

/** `0.4 ms`, `41 ms`, `1.2 s`, `3 min`, `2.5 h`. */
export const timeSpan = (milliseconds: number): string => {
  if (milliseconds < 999.5) return `${brief(milliseconds)} ms`
  if (milliseconds < 99_500) return `${brief(milliseconds / 1_000)} s`
  if (milliseconds < 3_600_000) return `${brief(milliseconds / 60_000)} min`
  return `${brief(milliseconds / 3_600_000)} h`
}
