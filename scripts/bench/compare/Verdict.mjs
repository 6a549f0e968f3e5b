// Judges by an interval whether a figure has become worse by more than 3 %, which is not allowed.

/** The largest allowed ratio. */
export const allowed = 1.03

/** @typedef {"better" | "same" | "worse" | "undecided"} Verdict */

/**
 * @param {import("./Interval.mjs").Interval} interval of the ratio of after to before, where less is better
 * @returns {Verdict} `same`: certainly not worse than allowed
 */
export const verdictOf = ({ low, high }) => {
  if (low > allowed) return "worse"
  if (high < 1) return "better"
  return high <= allowed ? "same" : "undecided"
}
