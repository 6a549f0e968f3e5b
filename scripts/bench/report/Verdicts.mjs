// Judges whether the targets are met.
import { ratio } from "./Figures.mjs"
import { targets } from "./Targets.mjs"

/** @typedef {import("./Targets.mjs").Target & { value: number, isKept: boolean }} Verdict */

const comparisons = {
  /** @type {(value: number, limit: number) => boolean} */
  "at most": (value, limit) => value <= limit,
  /** @type {(value: number, limit: number) => boolean} */
  "at least": (value, limit) => value >= limit,
  /** @type {(value: number, limit: number) => boolean} */
  below: (value, limit) => value < limit,
}

/**
 * The verdicts on the targets that a run can judge.
 *
 * @param {readonly import("./Figures.mjs").Section[]} sections
 * @returns {Verdict[]}
 */
export const verdicts = (sections) =>
  targets.flatMap((target) => {
    const section = sections.find(({ name }) => name === target.workload)
    if (section === undefined) return []
    const value =
      target.against === undefined
        ? section.rows.find(({ name }) => name === "ss-proxy")?.figures[target.figure]
        : ratio(section, target.figure, "ss-proxy", target.against)
    if (value === undefined || !Number.isFinite(value)) return []
    return [{ ...target, value, isKept: comparisons[target.is](value, target.limit) }]
  })
