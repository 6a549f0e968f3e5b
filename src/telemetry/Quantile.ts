/**
 * The value below which the part `part` (0 to 1) of what a histogram counted lies: a straight line within its bucket, as
 * Prometheus draws it. `counts`: of each bucket, from `first` on. What is above the last bound counts as that. NaN where nothing
 * was counted.
 */
export const quantileOf = (
  bounds: ReadonlyArray<number>,
  counts: Float64Array,
  first: number,
  part: number,
): number => {
  let total = 0
  for (let bucket = 0; bucket <= bounds.length; bucket++) total += counts[first + bucket] ?? 0
  if (total <= 0) return Number.NaN
  const rank = part * total
  let below = 0
  for (const [bucket, bound] of bounds.entries()) {
    const count = counts[first + bucket] ?? 0
    if (count > 0 && below + count >= rank) {
      const lower = bounds[bucket - 1] ?? 0
      return lower + ((bound - lower) * (rank - below)) / count
    }
    below += count
  }
  return bounds.at(-1) ?? Number.NaN
}
