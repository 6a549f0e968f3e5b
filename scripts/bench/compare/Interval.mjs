// The median of measurements, with its confidence interval.
import { median } from "../report/Figures.mjs"

/**
 * @typedef {object} Interval
 * @property {number} median
 * @property {number} low
 * @property {number} high
 */

/** The probability that the true median is outside of the interval. */
const error = 0.05

/**
 * The number of smallest values, and of largest values, that can be cut off with the median still between the others:
 * the sign test. Whatever the distribution is, a value is above the median as often as below, so the number of values
 * below is binomial, and no other assumption is needed.
 *
 * @param {number} count of the values
 * @returns {number} -1 if there are too few values, that is fewer than six
 */
const cutOff = (count) => {
  let cut = -1
  let chance = 0.5 ** count
  for (let below = 0, tail = chance; 2 * tail <= error; below += 1, tail += chance) {
    cut = below
    chance *= (count - below) / (below + 1)
  }
  return cut
}

/**
 * The median with its 95 % confidence interval by the sign test: the bounds are two of the sorted values.
 *
 * @param {readonly number[]} values
 * @returns {Interval} unbounded if there are too few values
 */
export const intervalOf = (values) => {
  const sorted = values.toSorted((one, other) => one - other)
  const cut = cutOff(sorted.length)
  return {
    median: median(sorted),
    low: cut < 0 ? 0 : (sorted[cut] ?? 0),
    high: cut < 0 ? Number.POSITIVE_INFINITY : (sorted[sorted.length - 1 - cut] ?? Number.POSITIVE_INFINITY),
  }
}
