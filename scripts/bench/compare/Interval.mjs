// The middle of some measurements, and how far it may be off.
import { median } from "../report/Figures.mjs"

/**
 * @typedef {object} Interval
 * @property {number} median
 * @property {number} low
 * @property {number} high
 */

/** How often the true median may lie outside. */
const error = 0.05

/**
 * How many of the smallest values, and of the largest, may be cut off so that the median is still between the rest: the
 * sign test. Each value lies above the median as often as below, whatever its distribution is; so the number of those
 * below is binomial, and nothing else has to be assumed.
 *
 * @param {number} count of the values
 * @returns {number} -1 where even all of them do not tell, that is: for fewer than six
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
 * The median with an interval that holds the true one in 95 of 100 runs at least: from one of the sorted values to another,
 * by the sign test.
 *
 * @param {readonly number[]} values
 * @returns {Interval} unbounded where there are too few values
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
