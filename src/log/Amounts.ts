// Sizes and times as people read them in a sentence or a line.

const units = ["kB", "MB", "GB", "TB"] as const

/** A number with one place where it is below 10, else without. */
const rounded = (value: number): string => (value < 9.95 ? value.toFixed(1).replace(/\.0$/, "") : value.toFixed(0))

/** `340 B`, `1.2 kB`, `17 MB`: units of 1,000. */
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
  if (milliseconds < 999.5) return `${rounded(milliseconds)} ms`
  if (milliseconds < 99_500) return `${rounded(milliseconds / 1_000)} s`
  if (milliseconds < 3_600_000) return `${rounded(milliseconds / 60_000)} min`
  return `${rounded(milliseconds / 3_600_000)} h`
}
