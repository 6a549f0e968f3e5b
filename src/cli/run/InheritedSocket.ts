import { Effect } from "effect"
import type { ProxySettings } from "../../domain/ProxyConfig.js"
import { settings } from "../../domain/Settings.js"
import type { ListeningSocket } from "../../server/Listening.js"
import { CommandFailed } from "../Failure.js"

/** The variables of sd_listen_fds(3): how many descriptors are handed over, to which process, and their names. */
const variables = ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"] as const

/** The first descriptor that is handed over, as sd_listen_fds(3) has it. */
const firstDescriptor = 3

/** The variables are for one process alone: what it starts must not take them for its own. */
const takeVariables = (): Readonly<Record<(typeof variables)[number], string>> => {
  const [fds = "", pid = "", names = ""] = variables.map((name) => process.env[name])
  for (const name of variables) delete process.env[name]
  return { LISTEN_FDS: fds, LISTEN_PID: pid, LISTEN_FDNAMES: names }
}

const tooMany = (count: string, names: string): CommandFailed =>
  new CommandFailed({
    problem: `cannot use ${count} sockets that were passed in (LISTEN_FDS${names === "" ? "" : `: ${names}`})`,
    hint: "the proxy takes one: leave one ListenStream= in its socket unit",
  })

/** What is said where the settings name another address. */
const sayWhatDecides = ({ host, port }: ListenSettings): Effect.Effect<void> =>
  host === settings.host.fallback && port === settings.port.fallback
    ? Effect.void
    : Effect.logInfo("the socket that was passed in is used; --host and --port are ignored")

/** Where the settings say to listen. */
type ListenSettings = Pick<ProxySettings, "host" | "port">

/**
 * Where the proxy is to listen: on a socket that systemd, or another program that does the same, has made and handed over
 * (socket activation, sd_listen_fds(3)), else where the settings say. To be asked once: it removes the variables that say so
 * from the environment. Fails where more than one socket is handed over.
 */
export const inheritedSocket = (given: ListenSettings): Effect.Effect<ListeningSocket, CommandFailed> =>
  Effect.gen(function* () {
    const { LISTEN_FDNAMES: names, LISTEN_FDS: count, LISTEN_PID: pid } = takeVariables()
    const isHandedOver = count !== "" && count !== "0"
    if (isHandedOver && pid === String(process.pid)) {
      if (count !== "1") return yield* tooMany(count, names)
      yield* sayWhatDecides(given)
      return { _tag: "Inherited", fd: firstDescriptor }
    }
    if (isHandedOver)
      yield* Effect.logWarning(
        "LISTEN_FDS is for another process, and does not count: start ss-proxy itself, with no npm or shell around it",
      ).pipe(Effect.annotateLogs({ listen_pid: pid, pid: process.pid }))
    return { _tag: "Address" }
  })
