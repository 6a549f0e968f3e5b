import { Context, Effect, Exit, Layer, Schema, Scope } from "effect"
import { join } from "node:path"
import { AdminServer, layerAdminOf } from "../../src/admin/AdminServer.js"
import { nextTurn } from "../../src/clock/NextTurn.js"
import { questions } from "../../src/admin/fleet/Questions.js"
import { ProxyConfig, type ProxySettings } from "../../src/domain/ProxyConfig.js"
import { OwnListeners } from "../../src/downstream/OwnListeners.js"
import { layerProxyWith } from "../../src/server/Proxy.js"
import { ProxyServer } from "../../src/server/ProxyServer.js"
import { layerMemory } from "../../src/sessions/MemorySessionRepo.js"
import { SessionRepo } from "../../src/sessions/SessionRepo.js"
import { type RecordTaps, Taps } from "../../src/telemetry/RecordTaps.js"
import { Telemetry } from "../../src/telemetry/Telemetry.js"
import { Channel } from "../../src/workers/Channel.js"
import { answerFleet } from "../../src/workers/FleetAnswers.js"
import { layerFleetOfWorkers } from "../../src/workers/FleetOfWorkers.js"
import { question } from "../../src/workers/Messages.js"
import { type WorkerLink, Workers, type WorkerWatcher } from "../../src/workers/Workers.js"
import { temporaryFolder } from "../sessions/temporary.js"
import type { HttpMessage } from "../support/HttpMessage.js"
import { bareRequest } from "../support/HttpText.js"
import { RawClient } from "../support/RawClient.js"
import { testDownstream } from "../support/TestProxy.js"
import { wirePair } from "./WirePair.js"

/** A worker of the laboratory: a whole proxy, in this process, on a port of its own. */
export interface LabWorker {
  readonly link: WorkerLink
  readonly connect: Effect.Effect<RawClient, never, Scope.Scope>
  /** Sends a request on a new connection. */
  readonly ask: (request: string) => Effect.Effect<HttpMessage, unknown, Scope.Scope>
  /** Ends it politely: it says what it has counted. */
  readonly end: Effect.Effect<void>
  /** Ends it as `kill -9` does: nothing more comes of it. */
  readonly kill: Effect.Effect<void>
  /** Those that are handed its records. */
  readonly taps: RecordTaps
  /** It answers hardly anything from now on. */
  readonly stick: () => void
}

/** Workers that come and go, as a supervisor has them. */
class LabPool {
  private readonly live = new Set<WorkerLink>()
  private readonly watchers = new Set<WorkerWatcher>()

  readonly service: typeof Workers.Service = {
    all: () => Array.from(this.live),
    watch: (watcher) => {
      this.watchers.add(watcher)
      return () => void this.watchers.delete(watcher)
    },
  }

  add(link: WorkerLink): void {
    this.live.add(link)
    for (const { came } of this.watchers) came?.(link)
  }

  remove(link: WorkerLink): void {
    if (this.live.delete(link)) for (const { gone } of this.watchers) gone?.(link)
  }
}

const linkOf = (channel: Channel, number: number, generation: number): WorkerLink => ({
  name: `${number}.${generation}`,
  number,
  generation,
  pid: 1_000 + number,
  ask: channel.ask.bind(channel),
  askPatiently: channel.askPatiently.bind(channel),
  tell: channel.tell.bind(channel),
  hear: channel.hear.bind(channel),
  answer: channel.answer.bind(channel),
})

/**
 * A supervisor's admin socket, and workers that it asks by a wire in memory. All share a store with the sessions `app` and
 * `other`; `storeOf`: what they have of it.
 */
export const startFleetLab = (
  url: string,
  given: Partial<ProxySettings> = {},
  storeOf: (rows: typeof SessionRepo.Service) => typeof SessionRepo.Service = (rows) => rows,
) =>
  Effect.gen(function* () {
    const adminSocket = join(yield* temporaryFolder, "admin.sock")
    const rows = yield* Layer.build(layerMemory(["app", "other"].map((id) => ({ id, url, status: "active" }))))
    const repo = Context.make(SessionRepo, storeOf(Context.get(rows, SessionRepo)))
    const settings = ProxyConfig.layer({ host: "127.0.0.1", port: 0, adminSocket, ...given })
    const shared = Layer.merge(settings, Layer.succeedContext(repo))
    const pool = new LabPool()
    const admin = layerAdminOf.pipe(
      Layer.provideMerge(layerFleetOfWorkers),
      Layer.provide([Layer.succeed(Workers, pool.service), OwnListeners.layer, Telemetry.layer]),
      Layer.provide(shared),
    )
    const { socket } = yield* Effect.map(Layer.build(admin), (built) => Context.get(built, AdminServer))

    const startWorker = (number: number, generation = 1) =>
      Effect.gen(function* () {
        const [scope, wires] = [yield* Scope.make(), yield* Scope.make()]
        yield* Effect.addFinalizer(() => Effect.zipRight(Scope.close(scope, Exit.void), Scope.close(wires, Exit.void)))
        const { cut, ends } = wirePair()
        const [own, other] = yield* Scope.extend(Effect.all([Channel.make(ends[0]), Channel.make(ends[1])]), wires)
        const proxy = Layer.provideMerge(layerProxyWith(testDownstream), shared)
        const built = yield* Scope.extend(Layer.build(proxy), scope)
        yield* Scope.extend(Effect.provide(answerFleet(other), built), scope)
        const link = linkOf(own, number, generation)
        pool.add(link)
        const { host, port } = Context.get(built, ProxyServer).address
        const gone = Effect.sync(() => pool.remove(link))
        const worker: LabWorker = {
          link,
          taps: Context.get(built, Taps),
          connect: RawClient.connect(port, host),
          ask: (request) => Effect.flatMap(RawClient.connect(port, host), (client) => client.ask(request)),
          end: Scope.close(scope, Exit.void).pipe(
            Effect.zipRight(nextTurn),
            Effect.zipRight(nextTurn),
            Effect.zipRight(gone),
          ),
          kill: Effect.zipRight(Effect.sync(cut), Effect.zipRight(gone, Scope.close(scope, Exit.void))),
          stick: () => {
            for (const row of [questions.live, questions.look, questions.process, questions.ready, questions.snapshot])
              other.answer(question(`fleet.${row.name}`, Schema.Unknown, Schema.String), () => Effect.never)
          },
        }
        return worker
      })

    /** Asks the admin socket. */
    const askAdmin = (requestLine: string) =>
      Effect.scoped(
        Effect.flatMap(RawClient.connectToPath(socket ?? adminSocket), (client) =>
          client.ask(bareRequest(requestLine, ["Host: admin"])),
        ),
      )
    const get = (target: string) =>
      Effect.map(askAdmin(`GET ${target}`), ({ text }): unknown => JSON.parse(Buffer.from(text, "latin1").toString()))
    const metrics = Effect.map(askAdmin("GET /metrics"), ({ text }) => text)
    return { adminSocket, askAdmin, get, metrics, repo: Context.get(repo, SessionRepo), startWorker }
  })
