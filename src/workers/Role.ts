import { Deferred, Effect } from "effect"
import { version } from "../domain/Version.js"
import type { Channel } from "./Channel.js"
import { beat, beatInterval, failed, greeting, protocol, start } from "./Messages.js"
import { WorkerFailed } from "./WorkerFailed.js"

/** What a process is to the supervisor that has started it. */
export interface Role {
  readonly channel: Channel
  readonly task: typeof start.body.Type
}

const otherVersion = (supervisor: string): string =>
  `the program on the disk is version ${version}, and the one that runs, ${supervisor}, cannot work with it; restart the proxy`

/** The role that the supervisor gives to this process. Fails where the two are of versions that do not understand each other. */
export const takeRole = (channel: Channel): Effect.Effect<Role, WorkerFailed> =>
  Effect.gen(function* () {
    const given = yield* Deferred.make<Role, WorkerFailed>()
    // Safe: it is told once, by the first thing that the supervisor says.
    channel.hear(greeting, ({ protocol: spoken, version: supervisor }) => {
      if (spoken !== protocol)
        Deferred.unsafeDone(given, new WorkerFailed({ problem: otherVersion(supervisor), exitCode: 1 }))
    })
    channel.hear(start, (task) => Deferred.unsafeDone(given, Effect.succeed({ channel, task })))
    return yield* Deferred.await(given)
  })

/** Tells the supervisor each second that this process is not stuck. `connections`: of clients, now. */
export const beats = (channel: Channel, connections: () => number): Effect.Effect<never> => {
  let due = performance.now()
  const one = Effect.sync(() => {
    const now = performance.now()
    channel.tell(beat, { connections: connections(), loopDelay: Math.max(0, now - due) })
    due = now + beatInterval
  })
  return Effect.forever(Effect.zipRight(one, Effect.sleep(beatInterval)))
}

/** Tells the supervisor with what this process ends. */
export const tellFailure = (channel: Channel, problem: string, exitCode: number): void =>
  channel.tell(failed, { problem, exitCode })
