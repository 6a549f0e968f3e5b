/** Levenshtein distance, one row of the matrix at a time. */
const distance = (left: string, right: string): number => {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let i = 1; i <= left.length; i++) {
    const next = [i]
    for (let j = 1; j <= right.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1)
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[right.length] ?? 0
}

/** The candidate most similar to `word`, if about two thirds of its letters are the same; case is ignored. */
export const mostSimilar = (word: string, candidates: Iterable<string>): string | undefined => {
  let best: string | undefined
  // A candidate at this distance or farther is not a likely typing error.
  let bestDistance = Math.max(1, Math.ceil(word.length / 3) + (word.length > 2 ? 1 : 0))
  for (const candidate of candidates) {
    const found = distance(word.toLowerCase(), candidate.toLowerCase())
    if (found >= bestDistance) continue
    best = candidate
    bestDistance = found
  }
  return best
}
