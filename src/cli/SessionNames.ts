import { defaultSettings } from "../domain/ProxyConfig.js"
import { settings } from "../domain/Settings.js"
import { labelProblem } from "../sessions/SessionRules.js"
import { flagOf, optionOr } from "./Flag.js"

/** For commands that look at sessions, and not at requests: it says the same as to `run`. */
const sessionHosts = {
  ...flagOf(settings.sessionHosts),
  about: "The proxy's --session-hosts: says which name a session has below these, or why it has none.",
}

/** The names below which each session has one of its own: flag, and option of commands. */
export const sessionHostsFlags = [sessionHosts]
export const sessionHostsOption = optionOr(sessionHosts, defaultSettings.sessionHosts)

/** The names of a session; none where its id cannot be a part of one. */
export const namesOf = (id: string, hosts: ReadonlyArray<string>): ReadonlyArray<string> =>
  labelProblem(id) === undefined ? hosts.map((host) => `${id}.${host.toLowerCase()}`) : []

/** Says that a session has no name below these, and why; `undefined` where it has one, or nobody has. */
export const withoutName = (id: string, hosts: ReadonlyArray<string>): string | undefined => {
  const problem = hosts.length === 0 ? undefined : labelProblem(id)
  return problem === undefined ? undefined : `${problem}, so the session is reachable by its path alone`
}
