import { describe } from "@effect/vitest"

/** `describe`; where something is missing, its tests are left out, and what is missing is said. */
export const describeUnless = (missing: string | undefined): typeof describe | typeof describe.skip => {
  if (missing === undefined) return describe
  process.stderr.write(`left out: ${missing}\n`)
  return describe.skip
}
