import { existsSync } from "node:fs"
import { describe } from "@effect/vitest"
import { isInstalled } from "./Tool.js"

/** That a program is not installed; `undefined` where it is. */
export const lacking = (program: string): string | undefined =>
  isInstalled(program) ? undefined : `${program} is not installed`

/** That the system has no such file; `undefined` where it has. */
export const lackingFile = (path: string): string | undefined => (existsSync(path) ? undefined : `there is no ${path}`)

/**
 * `describe`; where something is missing, its tests are left out, and what is missing is said. `npm test` has to pass on a
 * machine with Node alone; these need a browser, another language or another network. `.ci/run` installs all of that, so
 * that nothing is left out there.
 */
export const describeUnless = (missing: string | undefined) => {
  // Skipped for want of a program: they cannot run without it, and `npm test` must pass where there is Node and nothing else.
  return describe.skipIf(isLeftOut(missing))
}

/** Whether something is missing, and says so. */
export const isLeftOut = (missing: string | undefined): boolean => {
  if (missing !== undefined) process.stderr.write(`left out: ${missing}\n`)
  return missing !== undefined
}
