import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Context, Deferred, Effect, Exit, FastCheck, Layer, Logger, Option, Ref, type Scope } from "effect"
import { execFileSync } from "node:child_process"
import { renameSync } from "node:fs"
import { vi } from "vitest"
import { defaultSettings, ProxyConfig } from "../../src/domain/ProxyConfig.js"
import { StoreUnavailable } from "../../src/domain/ProxyError.js"
import { isForwarding, Session } from "../../src/domain/Session.js"
import { isUnusable } from "../../src/domain/SessionControl.js"
import { defaultPolicy, type SessionPolicy } from "../../src/domain/SessionPolicy.js"
import type { LiveSession, SessionEnd } from "../../src/sessions/LiveSession.js"
import { layerMemory } from "../../src/sessions/MemorySessionRepo.js"
import { SessionDirectory } from "../../src/sessions/SessionDirectory.js"
import { SessionRepo, type SessionRow } from "../../src/sessions/SessionRepo.js"
import { layerSqlite } from "../../src/sessions/sqlite/SqliteSessionRepo.js"
import { fairNow } from "../support/FairClock.js"
import { isLeftOut } from "../support/LeftOut.js"
import { lackingPostgres } from "../support/PostgresServer.js"
import { layerNewPostgres } from "../support/SharedPostgres.js"
import { temporaryFile } from "./temporary.js"

type Repo = typeof SessionRepo.Service
type Directory = typeof SessionDirectory.Service

const alpha = { id: "alpha", url: "http://127.0.0.1:9001", status: "active" }
const beta = { id: "beta", url: "http://127.0.0.1:9002", status: "active" }

/** What is asked of the repository, by operation. */
interface Asked {
  find: number
  findMany: number
  version: number
}

/** Stands for a URL that only another program can write: no store takes it. It is read as `unusableUrl`. */
const unusable = "http://unusable.example"
const unusableUrl = "ftp://user:secret@host"

/** Stands for values of control that only another program can write. */
const unclear = "http://unclear.example"

/** A URL that is read with whitespace around it, another each time, from a store that leaves it there. */
const padded = "http://127.0.0.1:9003/base"
let paddings = 0

const asOthersWrite = (row: SessionRow): SessionRow => {
  const { control, url } = row.session
  if (url === padded) {
    const padding = " \n".repeat(paddings++)
    return { ...row, session: new Session({ ...row.session, url: padding + url + padding }) }
  }
  if (url === unusable) return { ...row, session: new Session({ ...row.session, url: unusableUrl }) }
  if (isUnusable(control) || control.close.reason !== unclear) return row
  const unusableControl = { problem: "it is unclear", kills: control.kills }
  return { ...row, session: new Session({ ...row.session, control: unusableControl }) }
}

const isDone = <A, E>(effect: Effect.Effect<A, E>): effect is Exit.Exit<A, E> => Exit.isExit(effect)

/** What is there at once stays so. */
const mapped = <A, B, E>(effect: Effect.Effect<A, E>, change: (found: A) => B): Effect.Effect<B, E> =>
  isDone(effect) ? Exit.map(effect, change) : Effect.map(effect, change)

/** A repository that counts, fails while `broken` holds an error, and may take its time. */
const observed = (repo: Repo, asked: Asked, broken: { error: StoreUnavailable | undefined }): Repo => ({
  ...repo,
  find: (id) => {
    asked.find++
    return broken.error === undefined ? mapped(repo.find(id), Option.map(asOthersWrite)) : Effect.fail(broken.error)
  },
  findMany: (ids) => {
    asked.findMany++
    return broken.error === undefined
      ? mapped(repo.findMany(ids), (rows) => rows.map(asOthersWrite))
      : Effect.fail(broken.error)
  },
  version: () => {
    asked.version++
    return broken.error === undefined ? repo.version() : Effect.fail(broken.error)
  },
})

/** The same answers as another repository's, each in a later turn of the event loop. */
const slow = (repo: Repo): Repo => {
  const later = <A, E>(effect: Effect.Effect<A, E>) => Effect.delay(effect, 1)
  return {
    ...repo,
    find: (id) => later(Effect.suspend(() => repo.find(id))),
    findMany: (ids) => later(repo.findMany(ids)),
    version: () => later(Effect.suspend(() => repo.version())),
  }
}

const sqlite = Layer.unwrapScoped(Effect.map(temporaryFile("sessions.db"), (filename) => layerSqlite({ filename })))
const repos = {
  memory: layerMemory(),
  sqlite,
  ...(isLeftOut(lackingPostgres) ? {} : { postgres: layerNewPostgres }),
  "memory, answering later": Layer.map(layerMemory(), (context) =>
    Context.make(SessionRepo, slow(Context.get(context, SessionRepo))),
  ),
}

interface Harness {
  readonly repo: Repo
  readonly directory: Directory
  readonly asked: Asked
  readonly broken: { error: StoreUnavailable | undefined }
}

const harness = (
  layer: Layer.Layer<SessionRepo, StoreUnavailable>,
): Effect.Effect<Harness, StoreUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    const repo = Context.get(yield* Layer.build(Layer.fresh(layer)), SessionRepo)
    const asked: Asked = { find: 0, findMany: 0, version: 0 }
    const broken: Harness["broken"] = { error: undefined }
    const directory = yield* directoryOver(observed(repo, asked, broken))
    return { repo, directory, asked, broken }
  })

const directoryOver = (repo: Repo): Effect.Effect<Directory, never, Scope.Scope> =>
  Effect.map(
    Layer.build(
      Layer.provide(Layer.fresh(SessionDirectory.layer), [
        Layer.succeed(SessionRepo, repo),
        ProxyConfig.layerOf(defaultSettings),
      ]),
    ),
    Context.get(SessionDirectory),
  )

/** Completes with the reason when the lifetime ends. */
const endOf = (live: LiveSession): Effect.Effect<Deferred.Deferred<SessionEnd>> =>
  Effect.map(Deferred.make<SessionEnd>(), (ended) => {
    live.attach({ sessionEnded: (reason) => Deferred.unsafeDone(ended, Effect.succeed(reason)) })
    return ended
  })

/** A change must be in force after this long. */
const inForce = Effect.sleep(10)

const anOutage = new StoreUnavailable({ problem: "the disk is gone", hint: "Plug it in." })

describe.each(Object.entries(repos))("the directory over %s", (name, layer) => {
  const scenario = (name: string, test: (harness: Harness) => Effect.Effect<unknown, unknown, Scope.Scope>) =>
    it.scopedLive(name, () => Effect.flatMap(harness(layer), test))

  scenario("finds a session, and the same lifetime again", ({ repo, directory }) =>
    Effect.gen(function* () {
      yield* repo.add(alpha)
      const live = yield* directory.lookup("alpha")
      expect(live.id).toBe("alpha")
      expect(live.target).toMatchObject({ hostname: "127.0.0.1", port: 9001 })
      expect(yield* directory.lookup("alpha")).toBe(live)
    }),
  )

  scenario("has a new session, a new status and a removal in force within 10 ms", ({ repo, directory }) =>
    Effect.gen(function* () {
      expect(yield* Effect.flip(directory.lookup("alpha"))).toMatchObject({
        _tag: "SessionNotFound",
        sessionId: "alpha",
      })
      yield* repo.add(alpha)
      yield* inForce
      yield* directory.lookup("alpha")
      yield* repo.set("alpha", { status: "stopped" })
      yield* inForce
      expect(yield* Effect.flip(directory.lookup("alpha"))).toMatchObject({
        _tag: "SessionUnavailable",
        sessionId: "alpha",
        status: "stopped",
      })
      yield* repo.remove("alpha")
      yield* inForce
      expect(yield* Effect.flip(directory.lookup("alpha"))).toMatchObject({ _tag: "SessionNotFound" })
    }),
  )

  scenario("names the status before it names an unusable URL", ({ repo, directory }) =>
    Effect.gen(function* () {
      yield* repo.add({ ...alpha, url: unusable })
      const error = yield* Effect.flip(directory.lookup("alpha"))
      expect(error).toMatchObject({ _tag: "DownstreamUrlInvalid", sessionId: "alpha" })
      expect(JSON.stringify(error)).not.toContain("secret")
      yield* repo.set("alpha", { status: "stopped" })
      yield* inForce
      expect(yield* Effect.flip(directory.lookup("alpha"))).toMatchObject({ _tag: "SessionUnavailable" })
      yield* repo.set("alpha", alpha)
      yield* inForce
      expect((yield* directory.lookup("alpha")).target.port).toBe(9001)
    }),
  )

  scenario("keeps a lifetime, and what hangs on it, through changes of its WebSocket path", ({ repo, directory }) =>
    Effect.gen(function* () {
      yield* repo.add(alpha)
      const live = yield* directory.lookup("alpha")
      yield* endOf(live)
      for (const wsPath of ["strip", "full", null] as const) {
        yield* repo.set("alpha", { policy: { wsPath } })
        yield* inForce
        expect((yield* directory.lookup("alpha")).policy.wsPath).toBe(wsPath)
      }
      expect(yield* directory.lookup("alpha")).toBe(live)
      expect(live.ended).toBeUndefined()
    }),
  )

  scenario("begins a new lifetime where a server is to be verified that was not, and back", ({ repo, directory }) =>
    Effect.gen(function* () {
      yield* repo.add({ ...alpha, policy: { insecure: true } })
      const lax = yield* directory.lookup("alpha")
      expect(lax.target.insecure).toBe(true)
      yield* repo.set("alpha", { policy: { insecure: false } })
      yield* inForce
      const strict = yield* directory.lookup("alpha")
      expect([lax.ended, strict.target.insecure]).toEqual(["retargeted", false])
      yield* repo.set("alpha", { policy: { insecure: true } })
      yield* inForce
      expect((yield* directory.lookup("alpha")).target.insecure).toBe(true)
      expect(strict.ended).toBe("retargeted")
    }),
  )

  scenario("ends what hangs on an unverified server while no request comes", ({ repo, directory }) =>
    Effect.gen(function* () {
      yield* repo.add({ ...alpha, policy: { insecure: true } })
      const ended = yield* endOf(yield* directory.lookup("alpha"))
      yield* repo.set("alpha", { policy: { insecure: false } })
      expect(yield* Deferred.await(ended)).toBe("retargeted")
    }),
  )

  scenario("ends a lifetime that is killed, while no request comes, and begins a new one", ({ repo, directory }) =>
    Effect.gen(function* () {
      yield* repo.add(alpha)
      yield* repo.kill("alpha")
      const killed = yield* directory.lookup("alpha")
      const ended = yield* endOf(killed)
      yield* repo.kill("alpha", { code: 4_000, reason: "enough" })
      expect(yield* Deferred.await(ended)).toBe("killed")
      expect(killed.killClose).toEqual({ code: 4_000, reason: "enough" })
      const next = yield* directory.lookup("alpha")
      expect(next.generation).not.toBe(killed.generation)
      expect(next.activity).toBe(killed.activity)
      expect(directory.numbers().ended.killed).toBe(1)
    }),
  )

  scenario(
    "ends a lifetime that is killed as often as one before was, and put anew in between",
    ({ repo, directory }) =>
      Effect.gen(function* () {
        yield* repo.add(alpha)
        yield* repo.kill("alpha")
        const live = yield* directory.lookup("alpha")
        yield* endOf(live)
        yield* repo.put(alpha)
        yield* inForce
        expect(yield* directory.lookup("alpha")).toBe(live)
        yield* repo.kill("alpha")
        yield* repo.put(alpha)
        yield* repo.kill("alpha")
        yield* inForce
        yield* directory.lookup("alpha")
        expect(live.ended).toBe("killed")
      }),
  )

  scenario(
    "keeps what hangs on a session that drains until its time is over, and then ends it",
    ({ repo, directory }) =>
      Effect.gen(function* () {
        yield* repo.add(alpha)
        const live = yield* directory.lookup("alpha")
        const ended = yield* endOf(live)
        const startedAt = performance.now()
        yield* repo.drain("alpha", 400)
        yield* inForce
        expect(yield* Effect.flip(directory.lookup("alpha"))).toMatchObject({
          _tag: "SessionUnavailable",
          status: "draining",
        })
        expect(live.ended).toBeUndefined()
        expect(yield* Deferred.await(ended)).toBe("killed")
        expect(performance.now() - startedAt).toBeGreaterThan(350)
        expect(live.killClose).toEqual({ code: 1_001, reason: "the session was drained" })
        expect(yield* Effect.flip(directory.lookup("alpha"))).toMatchObject({ status: "draining" })
        yield* repo.resume("alpha")
        yield* inForce
        const next = yield* directory.lookup("alpha")
        expect([next.ended, next.generation === live.generation]).toEqual([undefined, false])
        expect(directory.numbers().ended.killed).toBe(1)
      }),
  )

  scenario("keeps what hangs on a session whose drain is ended in time", ({ repo, directory }) =>
    Effect.gen(function* () {
      // So long that it is ended in time on a busy machine, too, where each step is a question to a server.
      const grace = name === "postgres" ? 2_000 : 300
      yield* repo.add(alpha)
      const live = yield* directory.lookup("alpha")
      yield* endOf(live)
      yield* repo.drain("alpha", grace)
      yield* inForce
      yield* Effect.flip(directory.lookup("alpha"))
      yield* repo.resume("alpha")
      yield* Effect.sleep(2 * grace)
      expect(yield* directory.lookup("alpha")).toBe(live)
      expect(live.ended).toBeUndefined()
    }),
  )

  scenario(
    "ends what is left of a drain in time, though the store cannot be read then",
    ({ repo, directory, broken }) =>
      Effect.gen(function* () {
        yield* repo.add(alpha)
        const ended = yield* endOf(yield* directory.lookup("alpha"))
        yield* repo.drain("alpha", 200)
        yield* inForce
        yield* Effect.flip(directory.lookup("alpha"))
        broken.error = anOutage
        expect(yield* Deferred.await(ended)).toBe("killed")
      }),
  )

  scenario("lets a drain take as long as it was to take, however the clock is set meanwhile", ({ repo, directory }) =>
    Effect.gen(function* () {
      yield* Effect.addFinalizer(() => Effect.sync(() => vi.restoreAllMocks()))
      const setBy = (milliseconds: number) => {
        const real = Date.now
        vi.spyOn(Date, "now").mockImplementation(() => real() + milliseconds)
      }
      yield* repo.add(alpha)
      for (const change of [-3_600_000, 3_600_000]) {
        const ended = yield* endOf(yield* directory.lookup("alpha"))
        const [startedAt, fairStart] = [performance.now(), fairNow()]
        yield* repo.drain("alpha", 400)
        yield* inForce
        yield* Effect.flip(directory.lookup("alpha"))
        setBy(change)
        expect(yield* Deferred.await(ended)).toBe("killed")
        expect(performance.now() - startedAt).toBeGreaterThan(350)
        expect(fairNow() - fairStart).toBeLessThan(2_000)
        vi.restoreAllMocks()
        yield* repo.resume("alpha")
        yield* inForce
      }
      // Set back before anybody sees the drain.
      const ended = yield* endOf(yield* directory.lookup("alpha"))
      yield* repo.drain("alpha", 400)
      setBy(-3_600_000)
      yield* Effect.ensuring(
        Effect.timeout(Deferred.await(ended), 2_000),
        Effect.sync(() => vi.restoreAllMocks()),
      )
    }),
  )

  scenario(
    "keeps the traffic of a session of which something is asked that nobody understands",
    ({ repo, directory }) =>
      Effect.gen(function* () {
        yield* repo.add(alpha)
        const live = yield* directory.lookup("alpha")
        yield* endOf(live)
        yield* repo.kill("alpha", { reason: unclear })
        yield* inForce
        expect(yield* Effect.flip(directory.lookup("alpha"))).toMatchObject({
          _tag: "SessionControlInvalid",
          problem: "it is unclear",
        })
        yield* Effect.sleep(150)
        expect(live.ended).toBeUndefined()
        yield* repo.kill("alpha")
        yield* inForce
        yield* directory.lookup("alpha")
        expect(live.ended).toBe("killed")
      }),
  )

  scenario("keeps a lifetime through changes of status, and the traffic on it", ({ repo, directory }) =>
    Effect.gen(function* () {
      yield* repo.add(alpha)
      const live = yield* directory.lookup("alpha")
      yield* endOf(live)
      yield* repo.set("alpha", { status: "stopped" })
      yield* inForce
      yield* Effect.flip(directory.lookup("alpha"))
      yield* repo.set("alpha", { status: "ready" })
      yield* inForce
      expect(yield* directory.lookup("alpha")).toBe(live)
      expect(live.ended).toBeUndefined()
    }),
  )

  scenario("ends a lifetime when a request finds its row removed", ({ repo, directory }) =>
    Effect.gen(function* () {
      yield* repo.add(alpha)
      const ended = yield* endOf(yield* directory.lookup("alpha"))
      yield* repo.remove("alpha")
      yield* inForce
      yield* Effect.flip(directory.lookup("alpha"))
      expect(yield* Deferred.poll(ended)).toEqual(Option.some(Effect.succeed("removed")))
    }),
  )

  scenario("ends a lifetime when its row names another server, and begins a new one", ({ repo, directory }) =>
    Effect.gen(function* () {
      yield* repo.add(alpha)
      const before = yield* directory.lookup("alpha")
      yield* repo.set("alpha", { url: beta.url })
      yield* inForce
      const after = yield* directory.lookup("alpha")
      expect(before.ended).toBe("retargeted")
      expect(after.generation).not.toBe(before.generation)
      expect(after.target.port).toBe(9002)
    }),
  )

  scenario("keeps a lifetime whose row has only other whitespace around its URL", ({ repo, directory }) =>
    Effect.gen(function* () {
      yield* repo.add({ ...alpha, url: padded })
      const live = yield* directory.lookup("alpha")
      for (const wsPath of ["strip", "full"] as const) {
        yield* repo.set("alpha", { policy: { wsPath } })
        yield* inForce
        expect(yield* directory.lookup("alpha")).toBe(live)
        expect(live.policy.wsPath).toBe(wsPath)
      }
      expect(live.target).toMatchObject({ hostname: "127.0.0.1", port: 9003, basePath: "/base" })
    }),
  )

  scenario(
    "ends a lifetime whose row was seen gone, though the same row is inserted in the same second",
    ({ repo, directory }) =>
      Effect.gen(function* () {
        yield* repo.add(alpha)
        const before = yield* directory.lookup("alpha")
        const ended = yield* endOf(before)
        yield* repo.remove("alpha")
        // Nobody asks for it: the directory looks by itself, for the sake of what hangs on it.
        expect(yield* Deferred.await(ended)).toBe("removed")
        yield* repo.add(alpha)
        yield* inForce
        expect((yield* directory.lookup("alpha")).generation).not.toBe(before.generation)
      }),
  )

  scenario(
    "keeps a lifetime, and what hangs on it, where its row is put again and says the same",
    ({ repo, directory }) =>
      Effect.gen(function* () {
        yield* repo.add(alpha)
        const live = yield* directory.lookup("alpha")
        yield* endOf(live)
        yield* repo.put({ ...alpha, policy: { wsPath: "strip" } })
        yield* repo.addAll([alpha, beta], { replace: true })
        yield* inForce
        expect(yield* directory.lookup("alpha")).toBe(live)
        expect(live.ended).toBeUndefined()
        yield* repo.put({ ...alpha, policy: { insecure: true } })
        yield* inForce
        yield* directory.lookup("alpha")
        expect(live.ended).toBe("retargeted")
      }),
  )

  scenario("goes by the incarnation of a row that nobody saw gone, where the store knows it", ({ repo, directory }) =>
    Effect.gen(function* () {
      yield* repo.add(alpha)
      const live = yield* directory.lookup("alpha")
      const knows = Option.exists(yield* repo.find("alpha"), ({ incarnation }) => incarnation !== undefined)
      yield* repo.remove("alpha")
      yield* repo.add(alpha)
      yield* inForce
      yield* directory.lookup("alpha")
      expect(live.ended).toBe(knows ? "retargeted" : undefined)
    }),
  )

  scenario("ends what is watched while no request comes, and nothing else", ({ repo, directory }) =>
    Effect.gen(function* () {
      const ids = Array.from({ length: 450 }, (_, index) => `session-${index}`)
      for (const id of ids) yield* repo.add({ ...alpha, id })
      const lives = yield* Effect.forEach(ids, (id) => directory.lookup(id), { concurrency: "unbounded" })
      const ends = yield* Effect.forEach(lives, endOf)
      yield* repo.remove("session-7")
      yield* repo.set("session-449", { url: beta.url })
      yield* repo.set("session-8", { status: "stopped" })
      expect(yield* Deferred.await(ends[7] ?? (yield* Deferred.make<SessionEnd>()))).toBe("removed")
      expect(yield* Deferred.await(ends[449] ?? (yield* Deferred.make<SessionEnd>()))).toBe("retargeted")
      const over = lives.filter((live) => live.ended !== undefined).map(({ id }) => id)
      expect(over).toEqual(["session-7", "session-449"])
      expect(yield* directory.lookup("session-9")).toBe(lives[9])
    }),
  )

  scenario("ends a lifetime that is watched only after its row has gone", ({ repo, directory }) =>
    Effect.gen(function* () {
      yield* repo.add(alpha)
      yield* repo.add(beta)
      const late = yield* directory.lookup("alpha")
      yield* endOf(yield* directory.lookup("beta"))
      yield* repo.remove("alpha")
      yield* inForce
      yield* directory.lookup("beta")
      yield* Effect.sleep(150)
      expect(yield* Deferred.await(yield* endOf(late))).toBe("removed")
    }),
  )

  scenario("never takes a store that fails for a session that is not there", ({ repo, directory, broken }) =>
    Effect.gen(function* () {
      yield* repo.add(alpha)
      const live = yield* directory.lookup("alpha")
      const ended = yield* endOf(live)
      broken.error = anOutage
      yield* inForce
      expect(yield* Effect.flip(directory.lookup("alpha"))).toBe(anOutage)
      expect(yield* Effect.flip(directory.lookup("nobody"))).toBe(anOutage)
      yield* Effect.sleep(150)
      expect(live.ended).toBeUndefined()
      broken.error = undefined
      yield* inForce
      expect(yield* directory.lookup("alpha")).toBe(live)
      expect(yield* Effect.flip(directory.lookup("nobody"))).toMatchObject({ _tag: "SessionNotFound" })
      yield* repo.remove("alpha")
      expect(yield* Deferred.await(ended)).toBe("removed")
    }),
  )

  it.scopedLive("ends every lifetime with the layer", () =>
    Effect.gen(function* () {
      const lives = yield* Effect.scoped(
        Effect.gen(function* () {
          const { repo, directory } = yield* harness(layer)
          yield* repo.add(alpha)
          yield* repo.add(beta)
          const watched = yield* directory.lookup("alpha")
          yield* endOf(watched)
          return [watched, yield* directory.lookup("beta")]
        }),
      )
      expect(lives.map(({ ended }) => ended)).toEqual(["shutdown", "shutdown"])
    }),
  )

  it.live("equals the table after any sequence of changes", () =>
    Effect.promise(() =>
      FastCheck.assert(
        FastCheck.asyncProperty(FastCheck.array(anEdit, { maxLength: 10 }), (edits) =>
          Effect.runPromise(Effect.scoped(Effect.flatMap(harness(layer), (given) => staysEqual(given, edits)))),
        ),
        // Fewer where a machine is so busy that eight databases take longer.
        { numRuns: 8, interruptAfterTimeLimit: 30_000 },
      ),
    ),
  )
})

const anEdit = FastCheck.record({
  id: FastCheck.constantFrom("a", "b", "c"),
  url: FastCheck.constantFrom("http://127.0.0.1:1001", "127.0.0.1:1002", unusable),
  status: FastCheck.constantFrom("active", "ready", "stopped"),
  policy: FastCheck.record({
    insecure: FastCheck.boolean(),
    wsPath: FastCheck.constantFrom<SessionPolicy["wsPath"]>("strip", "full", null),
  }),
  kind: FastCheck.constantFrom("put", "status", "policy", "remove", "replace"),
  watch: FastCheck.boolean(),
})

type Edit = typeof anEdit extends FastCheck.Arbitrary<infer A> ? A : never

const applyEdit = (repo: Repo, { kind, watch: _watch, ...session }: Edit) => {
  const remove = Effect.ignore(repo.remove(session.id))
  if (kind === "put") return repo.put(session)
  if (kind === "remove") return remove
  if (kind === "policy") return Effect.ignore(repo.set(session.id, { policy: session.policy }))
  return kind === "status"
    ? Effect.ignore(repo.set(session.id, { status: session.status }))
    : Effect.zipRight(remove, repo.add(session))
}

/** Applies each edit, and compares every lookup with the table 5 ms later. */
const staysEqual = ({ repo, directory }: Harness, edits: ReadonlyArray<Edit>) =>
  Effect.gen(function* () {
    const given = new Map<string, LiveSession>()
    for (const edit of edits) {
      yield* applyEdit(repo, edit)
      yield* Effect.sleep(5)
      for (const id of ["a", "b", "c"]) {
        const row = Option.getOrUndefined(yield* repo.find(id))?.session
        const answer = yield* Effect.exit(directory.lookup(id))
        expect(describeAnswer(answer)).toBe(describeRow(row))
        const before = given.get(id)
        if (before !== undefined && (row === undefined || !isServerOf(row, before)))
          expect(before.ended).toBe(row === undefined ? "removed" : "retargeted")
        if (before?.ended !== undefined) given.delete(id)
        if (!Exit.isSuccess(answer)) continue
        expect(answer.value.ended).toBeUndefined()
        if (edit.watch) yield* endOf(answer.value)
        given.set(id, answer.value)
      }
    }
  })

const isServerOf = ({ url, policy }: Session, { target }: LiveSession): boolean =>
  url.endsWith(String(target.port)) && policy.insecure === target.insecure

const describeAnswer = (answer: Exit.Exit<LiveSession, { readonly _tag: string }>): string =>
  Exit.match(answer, {
    onSuccess: ({ target, policy }) => `${target.hostname}:${target.port} ${target.insecure} ${policy.wsPath}`,
    onFailure: (cause) => (cause._tag === "Fail" ? cause.error._tag : cause._tag),
  })

const describeRow = (row: Session | undefined): string => {
  if (row === undefined) return "SessionNotFound"
  if (!isForwarding(row.status)) return "SessionUnavailable"
  if (row.url === unusable) return "DownstreamUrlInvalid"
  return `${row.url.replace("http://", "")} ${row.policy.insecure} ${row.policy.wsPath}`
}

describe("the directory", () => {
  it.scopedLive("makes no query for a warm lookup, whatever time passes", () =>
    Effect.gen(function* () {
      const { repo, directory, asked } = yield* harness(sqlite)
      yield* repo.add(alpha)
      const first = directory.lookup("alpha")
      expect(asked).toMatchObject({ find: 1, findMany: 0 })
      yield* Effect.sleep(8)
      for (let i = 0; i < 1_000; i++) expect(directory.lookup("alpha")).toBe(first)
      expect(asked).toMatchObject({ find: 1, findMany: 0 })
      expect(Exit.isExit(first)).toBe(true)
    }),
  )

  it.scopedLive("asks the store nothing while there are neither requests nor traffic", () =>
    Effect.gen(function* () {
      const { repo, directory, asked } = yield* harness(sqlite)
      yield* repo.add(alpha)
      const live = yield* directory.lookup("alpha")
      const listener = { sessionEnded: () => {} }
      live.attach(listener)
      yield* Effect.sleep(250)
      expect(asked.version).toBeGreaterThan(1)
      live.detach(listener)
      // The round that was under way when the last listener left.
      yield* Effect.sleep(150)
      const before = { ...asked }
      yield* Effect.sleep(350)
      expect(asked).toEqual(before)
    }),
  )

  it.scopedLive("finds out by itself that a store can be read again, and then asks it nothing more", () =>
    Effect.gen(function* () {
      const { repo, directory, asked, broken } = yield* harness(sqlite)
      yield* repo.add(alpha)
      yield* directory.lookup("alpha")
      broken.error = anOutage
      yield* Effect.sleep(8)
      yield* Effect.flip(directory.lookup("alpha"))
      const { refreshes } = directory.numbers()
      while (directory.numbers().failures < 5) yield* Effect.sleep(10)
      expect(directory.numbers()).toMatchObject({ isReadable: false, refreshes })
      broken.error = undefined
      while (!directory.numbers().isReadable) yield* Effect.sleep(10)
      yield* Effect.sleep(150)
      const before = { ...asked }
      yield* Effect.sleep(350)
      expect(asked).toEqual(before)
      expect((yield* directory.lookup("alpha")).ended).toBeUndefined()
    }),
  )

  it.scopedLive("rests behind a change as long as its reading has worked, and not for its pauses as well", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile("sessions.db")
      const readAt: Array<number> = []
      const timed = Layer.map(layerSqlite({ filename }), (context) => {
        const repo = Context.get(context, SessionRepo)
        const findMany: Repo["findMany"] = (ids) => {
          readAt.push(performance.now())
          return repo.findMany(ids)
        }
        return Context.make(SessionRepo, { ...repo, findMany })
      })
      const { directory, repo } = yield* harness(timed)
      const ids = Array.from({ length: 2_000 }, (_, index) => `session-${index}`)
      yield* repo.addAll(
        ids.map((id) => ({ ...alpha, id })),
        { replace: false },
      )
      yield* inForce
      const ends = yield* Effect.forEach(ids, (id) => Effect.flatMap(directory.lookup(id), endOf))
      yield* Effect.repeat(inForce, { until: () => performance.now() - (readAt.at(-1) ?? 0) > 600 })
      readAt.length = 0
      const other = yield* Effect.acquireRelease(
        Effect.sync(() => new Sqlite(filename)),
        (database) => Effect.sync(() => database.close()),
      )
      for (const index of [0, 1]) {
        other.prepare("DELETE FROM sessions WHERE session_id = ?").run(ids[index])
        expect(yield* Deferred.await(ends[index] ?? (yield* Deferred.make<SessionEnd>()))).toBe("removed")
      }
      // Forty rows at a time, twice.
      const [first = 0, last = 0, again = 0] = [0, 49, 50].map((index) => readAt[index])
      expect(again - last).toBeLessThan(2 * (last - first))
    }),
  )

  it.scopedLive("has what another program commits in force within 10 ms, and ends what hung on it soon after", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile("sessions.db")
      const { directory } = yield* harness(layerSqlite({ filename }))
      const other = yield* Effect.acquireRelease(
        Effect.sync(() => new Sqlite(filename)),
        (database) => Effect.sync(() => database.close()),
      )
      const insert = other.prepare(
        "INSERT INTO sessions (session_id, downstream_server_url, downstream_server_status) VALUES (?, ?, 'active')",
      )
      yield* Effect.flip(directory.lookup("alpha"))
      insert.run("alpha", alpha.url)
      insert.run("beta", beta.url)
      yield* inForce
      const live = yield* directory.lookup("alpha")
      const ended = yield* endOf(live)
      yield* directory.lookup("beta")
      other.exec("DELETE FROM sessions WHERE session_id = 'alpha'")
      const removedAt = fairNow()
      yield* Effect.sleep(5)
      // A request for another session is enough for the change to be noticed.
      yield* directory.lookup("beta")
      expect(yield* Deferred.await(ended)).toBe("removed")
      expect(fairNow() - removedAt).toBeLessThan(90)
    }),
  )

  it.scopedLive("keeps what hangs on rows that are replaced by the same, one by one or with their file", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile("sessions.db")
      const { repo, directory } = yield* harness(layerSqlite({ filename }))
      const sqlite3 = (sql: string, file = filename): string =>
        execFileSync("sqlite3", [file, sql], { encoding: "utf8" })
      yield* repo.add({ ...alpha, id: "first" })
      yield* repo.add(alpha)
      yield* repo.add(beta)
      const [one, two] = [yield* directory.lookup("alpha"), yield* directory.lookup("beta")]
      const ends = [yield* endOf(one), yield* endOf(two)] as const

      sqlite3(`REPLACE INTO sessions VALUES ('alpha', '${alpha.url}', 'ready', '2001-01-01 00:00:00', NULL)`)
      yield* Effect.sleep(200)

      // The rows of the new file have other places, for "first" is missing.
      sqlite3("DELETE FROM sessions WHERE session_id = 'first'")
      sqlite3(sqlite3(".dump").replace(beta.url, "http://moved"), `${filename}.new`)
      renameSync(`${filename}.new`, filename)
      expect(yield* Deferred.await(ends[1])).toBe("retargeted")
      expect(yield* directory.lookup("alpha")).toBe(one)
      expect(yield* Deferred.isDone(ends[0])).toBe(false)
    }),
  )

  it.scopedLive(
    "refuses what has a policy that means nothing, and goes on with the same lifetime when it is mended",
    () =>
      Effect.gen(function* () {
        const filename = yield* temporaryFile("sessions.db")
        const { repo, directory } = yield* harness(layerSqlite({ filename }))
        const other = yield* Effect.acquireRelease(
          Effect.sync(() => new Sqlite(filename)),
          (database) => Effect.sync(() => database.close()),
        )
        const setPolicy = (insecure: unknown, wsPath: unknown) =>
          Effect.zipRight(
            Effect.sync(() =>
              other
                .prepare("REPLACE INTO session_policies (session_id, insecure, ws_path) VALUES ('alpha', ?, ?)")
                .run(insecure, wsPath),
            ),
            inForce,
          )
        yield* repo.add(alpha)
        const live = yield* directory.lookup("alpha")
        yield* endOf(live)
        yield* setPolicy(0, "sideways")
        expect(yield* Effect.flip(directory.lookup("alpha"))).toMatchObject({
          _tag: "SessionPolicyInvalid",
          sessionId: "alpha",
          problem: 'its ws_path is "sideways"; it must be one of append, full, strip, or NULL',
        })
        yield* setPolicy("perhaps", "full")
        expect(yield* Effect.flip(directory.lookup("alpha"))).toMatchObject({
          problem: 'its insecure is "perhaps"; it must be 0 or 1',
        })
        yield* setPolicy(0, "full")
        expect(yield* directory.lookup("alpha")).toBe(live)
        expect(live.policy).toEqual({ ...defaultPolicy, wsPath: "full" })
        expect(live.ended).toBeUndefined()

        yield* setPolicy(1, null)
        const lax = yield* directory.lookup("alpha")
        // Whatever else it may mean, it does not say "insecure" any more.
        yield* setPolicy("perhaps", null)
        yield* Effect.flip(directory.lookup("alpha"))
        expect(lax.ended).toBe("retargeted")

        yield* repo.set("alpha", { url: unusable })
        yield* inForce
        expect(yield* Effect.flip(directory.lookup("alpha"))).toMatchObject({ _tag: "DownstreamUrlInvalid" })
        yield* repo.set("alpha", { status: "stopped" })
        yield* inForce
        expect(yield* Effect.flip(directory.lookup("alpha"))).toMatchObject({ _tag: "SessionUnavailable" })
      }),
  )

  it.scopedLive("says once that the store fails, and goes on when it is back", () =>
    Effect.gen(function* () {
      const lines = yield* Ref.make<ReadonlyArray<string>>([])
      const logger = Logger.make(({ message }) => Effect.runSync(Ref.update(lines, (all) => [...all, String(message)])))
      yield* Effect.gen(function* () {
        const { repo, directory, broken, asked } = yield* harness(layerMemory([alpha]))
        const ended = yield* endOf(yield* directory.lookup("alpha"))
        const outage = Effect.gen(function* () {
          broken.error = anOutage
          const before = asked.findMany
          while (asked.findMany < before + 3) yield* Effect.sleep(10)
          broken.error = undefined
          const after = asked.findMany
          while (asked.findMany === after) yield* Effect.sleep(10)
        })
        yield* outage
        yield* outage
        yield* repo.remove("alpha")
        expect(yield* Deferred.await(ended)).toBe("removed")
      }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
      const line = "live traffic goes on unchecked: the disk is gone. Plug it in."
      expect(yield* Ref.get(lines)).toEqual([line, line])
    }),
  )

  it.scopedLive("forgets the oldest sessions that nothing hangs on, and finds them again", () =>
    Effect.gen(function* () {
      const many = Array.from({ length: 50_010 }, (_, index) => ({ ...alpha, id: `s${index}` }))
      const { directory, asked } = yield* harness(layerMemory(many))
      const watched = yield* directory.lookup("s0")
      const ended = yield* endOf(watched)
      const early = yield* directory.lookup("s1")
      for (const { id } of many) yield* directory.lookup(id)
      expect(yield* directory.lookup("s0")).toBe(watched)
      expect(asked.find).toBe(many.length)
      const again = yield* directory.lookup("s1")
      expect(asked.find).toBe(many.length + 1)
      expect(again).not.toBe(early)
      // Who still holds the forgotten lifetime is not left with one that nobody ends.
      expect(yield* Deferred.await(yield* endOf(early))).toBe("retargeted")
      expect(yield* Deferred.poll(ended)).toEqual(Option.none())
    }),
  )
})
