/** A small generator of numbers that gives the same ones every time (mulberry32). */
export function makeRandom(seed) {
  let state = seed
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  /** A whole number from 0 on. */
  const below = (limit) => Math.floor(next() * limit)
  return {
    below,
    /** A whole number of a range, both ends included. */
    between: (least, most) => least + below(most - least + 1),
    pick: (choices) => choices[below(choices.length)],
    chance: (probability) => next() < probability,
  }
}

/** Milliseconds of a clock that all processes of this machine share and nobody sets. */
export const now = () => Number(process.hrtime.bigint() / 1_000n) / 1_000
