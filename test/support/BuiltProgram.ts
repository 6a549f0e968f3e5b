import { fileURLToPath } from "node:url"

/** The built program. */
export const binary = fileURLToPath(new URL("../../dist/bin.js", import.meta.url))

/** The variables of this process, without any that the program reads. */
export const cleanEnvironment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(SS_PROXY_|NO_COLOR$|FORCE_COLOR$)/.test(name)))
