// How long a run of tests still takes, by what its files took when they ran last.

/**
 * What one file took, in milliseconds, by its path.
 *
 * @typedef {Readonly<Record<string, number>>} Times
 */

/** @param {readonly number[]} values */
const sum = (values) => values.reduce((all, value) => all + value, 0)

/**
 * The time that all of these files took when they ran last, in milliseconds; `undefined` if most are new. A file that is not known
 * counts as the average of the others.
 *
 * @param {readonly string[]} files
 * @param {Times} times
 * @returns {number | undefined}
 */
export const expected = (files, times) => {
  const known = files.flatMap((file) => times[file] ?? [])
  return known.length * 2 < files.length || known.length === 0 ? undefined : (sum(known) / known.length) * files.length
}

/**
 * The time that is left, in milliseconds. How far the machine is slower than it was, and how many files it runs at a time, is told by
 * how long the files took that are done.
 *
 * @param {{ done: readonly string[], left: readonly string[], elapsed: number }} run
 * @param {Times} times
 * @returns {number | undefined} undefined if nothing tells yet
 */
export const timeLeft = ({ done, elapsed, left }, times) => {
  const [before, after] = [expected(done, times), left.length === 0 ? 0 : expected(left, times)]
  return before === undefined || before === 0 || after === undefined ? undefined : (elapsed / before) * after
}

/**
 * For people: `40 s`, `12 min`.
 *
 * @param {number} milliseconds
 * @returns {string}
 */
export const inWords = (milliseconds) => {
  const seconds = Math.round(milliseconds / 1_000)
  return seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`
}
