import { describe } from "@effect/vitest"

/**
 * `describe`; where something is missing, its tests are left out, and what is missing is said. `npm test` has to pass on a
 * machine with Node alone; these need a browser, another language or another network. `.ci/run` installs all of that, so
 * that nothing is left out there.
 */
export const describeUnless = (missing: string | undefined): typeof describe | typeof describe.skip => {
  if (missing === undefined) return describe
  process.stderr.write(`left out: ${missing}\n`)
  // They cannot run without it, and `npm test` must pass on a machine that has Node and nothing else.
  return describe.skip
}
