import { Effect, type Scope } from "effect"
import type { ChildProcessWithoutNullStreams } from "node:child_process"
import { spawnSync } from "node:child_process"
import { startTool } from "./Tool.js"

/** One of the blocks that are for documents only (RFC 5737), so that no network has it; another for each process. */
const block = 4 * (process.pid % 64)
const nearAddress = `198.51.100.${block + 1}`
const farAddress = `198.51.100.${block + 2}`

const ip = (command: string): string | undefined => {
  const { error, status, stderr } = spawnSync("ip", command.split(" "), { encoding: "utf8" })
  if (error !== undefined) return `ip is not installed: ${error.message}`
  return status === 0 ? undefined : `ip ${command}: ${stderr.trim()}`
}

/** The first of these commands that fails tells why. */
const inOrder = (commands: ReadonlyArray<string>): string | undefined => {
  for (const command of commands) {
    const fault = ip(command)
    if (fault !== undefined) return fault
  }
  return undefined
}

const nameOf = (purpose: string): string => `ss${process.pid}${purpose}`

/** The cable goes at once; the namespace only when the last connection in it has given up. */
const removing = (name: string): void => {
  ip(`link del ${name}n`)
  ip(`netns del ${name}`)
}

const cabling = (name: string): ReadonlyArray<string> => [
  `netns add ${name}`,
  `link add ${name}n type veth peer name ${name}f netns ${name}`,
]

/** Why no other host can be had on this machine; `undefined` where it can: as root, on Linux, by iproute2. */
export const noFarHost = (): string | undefined => {
  const name = nameOf("p")
  const fault = inOrder(cabling(name))
  removing(name)
  return fault === undefined ? undefined : `no network namespaces (${fault})`
}

/** Another host, as far as TCP can tell: a network namespace, and a cable to it that can be cut. */
export class FarHost {
  readonly address = farAddress

  private constructor(private readonly name: string) {}

  /** Starts a program there; it is killed with the scope. */
  start(
    program: string,
    args: ReadonlyArray<string>,
  ): Effect.Effect<ChildProcessWithoutNullStreams, never, Scope.Scope> {
    return startTool("ip", ["netns", "exec", this.name, program, ...args])
  }

  /** Nothing passes any more, in either direction: no FIN, no RST, no word from the network. */
  get cutCable(): Effect.Effect<void> {
    return did(() => ip(`-n ${this.name} link set ${this.name}f down`))
  }

  /** Sets it up; it is gone with the scope. */
  static readonly make: Effect.Effect<FarHost, never, Scope.Scope> = Effect.acquireRelease(
    Effect.sync(() => new FarHost(nameOf("h"))).pipe(
      Effect.tap(({ name }) =>
        did(() =>
          inOrder([
            ...cabling(name),
            `address add ${nearAddress}/30 dev ${name}n`,
            `link set ${name}n up`,
            `-n ${name} address add ${farAddress}/30 dev ${name}f`,
            `-n ${name} link set ${name}f up`,
          ]),
        ),
      ),
    ),
    ({ name }) => Effect.sync(() => removing(name)),
  )
}

const did = (act: () => string | undefined): Effect.Effect<void> =>
  Effect.suspend(() => {
    const fault = act()
    return fault === undefined ? Effect.void : Effect.dieMessage(fault)
  })
