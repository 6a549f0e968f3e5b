// What an interval says about the rule that no figure may become worse by more than 3 %.

/** The largest ratio that is still allowed. */
export const allowed = 1.03

/** @typedef {"better" | "same" | "worse" | "undecided"} Verdict */

/**
 * @param {import("./Interval.mjs").Interval} interval of the ratio of after to before, where less is better
 * @returns {Verdict} `same`: not worse by more than is allowed, for certain
 */
export const verdictOf = ({ low, high }) => {
  if (low > allowed) return "worse"
  if (high < 1) return "better"
  return high <= allowed ? "same" : "undecided"
}
