/** A small generator of numbers that gives the same ones every time. */
export interface Random {
  /** A whole number from 0 on. */
  readonly below: (limit: number) => number
  readonly pick: <A>(choices: readonly [A, ...Array<A>]) => A
  readonly chance: (probability: number) => boolean
}

/** Begins with a seed (mulberry32). */
export const makeRandom = (seed: number): Random => {
  let state = seed
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  return {
    below,
    pick: (choices) => choices[below(choices.length)] ?? choices[0],
    chance: (probability) => next() < probability,
  }
}
