import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Exit, Layer, Option } from "effect"
import type { StoreUnavailable } from "../../src/domain/ProxyError.js"
import type { Session } from "../../src/domain/Session.js"
import { defaultClose, drainOf, isUnusable, noControl, type SessionControl } from "../../src/domain/SessionControl.js"
import { defaultPolicy } from "../../src/domain/SessionPolicy.js"
import { layerMemory } from "../../src/sessions/MemorySessionRepo.js"
import { type NewSession, SessionRepo } from "../../src/sessions/SessionRepo.js"
import { forwards } from "../../src/sessions/SessionShape.js"
import { layerSqlite } from "../../src/sessions/sqlite/SqliteSessionRepo.js"
import { isLeftOut } from "../support/LeftOut.js"
import { lackingPostgres } from "../support/PostgresServer.js"
import { layerNewPostgres } from "../support/SharedPostgres.js"
import { temporaryFile } from "./temporary.js"

const layers: Record<string, Layer.Layer<SessionRepo, StoreUnavailable>> = {
  memory: layerMemory(),
  sqlite: Layer.unwrapScoped(Effect.map(temporaryFile("sessions.db"), (filename) => layerSqlite({ filename }))),
  ...(isLeftOut(lackingPostgres) ? {} : { postgres: layerNewPostgres }),
}

const alpha = { id: "alpha", url: "http://127.0.0.1:9001", status: "active" }
const beta = { id: "beta", url: "http://127.0.0.1:9002/base", status: "starting" }

/** Those that have to ask somebody else. */
const afar = ["postgres"]

describe.each(Object.entries(layers))("a session repository (%s)", (name, layer) => {
  const scenario = (name: string, test: Effect.Effect<unknown, unknown, SessionRepo>) =>
    it.live(name, () => Effect.provide(test, Layer.fresh(layer)))

  scenario(
    "is empty at first",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      expect(yield* repo.list).toEqual([])
      expect(yield* repo.count).toBe(0)
      expect(yield* repo.find("alpha")).toEqual(Option.none())
      expect(yield* repo.findMany(["alpha", "beta"])).toEqual([])
    }),
  )

  scenario(
    "gives back what was added, with the time as SQLite writes it",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      const added = yield* repo.add(alpha)
      expect(added).toMatchObject(alpha)
      expect(added.createdAt).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/)
      expect(added.updatedAt).toBe(added.createdAt)
      const found = Option.getOrThrow(yield* repo.find("alpha"))
      expect(found.session).toEqual(added)
    }),
  )

  scenario(
    "refuses to add an id that is there, and leaves that one alone",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      yield* repo.add(alpha)
      const error = yield* Effect.flip(repo.add({ ...alpha, url: "http://elsewhere" }))
      expect(error).toMatchObject({ _tag: "SessionExists", sessionId: "alpha" })
      expect(Option.getOrThrow(yield* repo.find("alpha")).session.url).toBe(alpha.url)
    }),
  )

  scenario(
    "binds fields that are set to the URL that the session has then, and to no other",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      const setFields = { Authorization: "Bearer secret" }
      const elsewhere = "http://127.0.0.1:9009"
      const states: Array<readonly [string | null, boolean]> = []
      const note = Effect.gen(function* () {
        const { session } = Option.getOrThrow(yield* repo.find("alpha"))
        states.push([session.policy.setFieldsUrl, forwards(session)])
      })
      const steps: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
        repo.add({ ...alpha, policy: { setFields } }),
        repo.set("alpha", { status: "ready" }),
        repo.set("alpha", { url: elsewhere }),
        // There and back again: it was set for this one.
        repo.set("alpha", { url: alpha.url }),
        repo.set("alpha", { url: elsewhere, policy: { setFields } }),
        repo.set("alpha", { policy: { setFields: null } }),
        repo.set("alpha", { policy: { setFields: {} } }),
        repo.put(alpha),
        repo.put({ ...alpha, url: elsewhere, policy: { setFields } }),
        repo.put({ ...alpha, policy: { setFields, setFieldsUrl: elsewhere } }),
        repo.addAll([{ ...alpha, policy: { setFields } }], { replace: true }),
        repo.apply([{ _tag: "Put", session: { ...alpha, policy: { setFields, setFieldsUrl: elsewhere } } }], {
          replace: true,
          partly: false,
        }),
        repo.apply([{ _tag: "Put", session: { ...alpha, policy: { setFields } } }], { replace: true, partly: false }),
      ]
      for (const step of steps) yield* Effect.zipRight(step, note)
      expect(states).toEqual([
        [alpha.url, true],
        [alpha.url, true],
        [alpha.url, false],
        [alpha.url, true],
        [elsewhere, true],
        [null, true],
        [elsewhere, true],
        [null, true],
        [elsewhere, true],
        [elsewhere, false],
        [alpha.url, true],
        [elsewhere, false],
        [alpha.url, true],
      ])
      // Nobody moves them without knowing them.
      const moved = repo.set("alpha", { url: elsewhere, policy: { setFieldsUrl: elsewhere } })
      expect(yield* Effect.flip(moved)).toMatchObject({ _tag: "SessionInvalid" })
      const hidden = repo.set("alpha", { policy: { setFields: { Authorization: "***" } } })
      expect(yield* Effect.flip(hidden)).toMatchObject({ _tag: "SessionInvalid" })
      expect(Option.getOrThrow(yield* repo.find("alpha")).session).toMatchObject({
        url: alpha.url,
        policy: { setFields },
      })
    }),
  )

  scenario(
    "asks the precondition of a write in one step with it, by what is stored then",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      const isNew = (stored: Session | undefined) =>
        stored === undefined ? Either.void : Either.left("stored" as const)
      const isStatus = (status: string) => (stored: Session | undefined) =>
        stored?.status === status ? Either.void : Either.left("changed" as const)
      yield* repo.put({ ...alpha, status: "0" }, isNew)
      expect(yield* Effect.flip(repo.put(beta, isStatus("0")))).toBe("changed")
      expect(yield* repo.find("beta")).toEqual(Option.none())
      expect(yield* Effect.flip(repo.put(alpha, isNew))).toBe("stored")
      // Each adds one to what it has read: none is lost.
      const addOne: Effect.Effect<void, unknown> = Effect.gen(function* () {
        const { status } = Option.getOrThrow(yield* repo.find("alpha")).session
        yield* Effect.yieldNow()
        yield* repo.set("alpha", { status: String(Number(status) + 1) }, isStatus(status))
      }).pipe(Effect.catchAll((error) => (error === "changed" ? addOne : Effect.fail(error))))
      yield* Effect.all(
        Array.from({ length: 50 }, () => addOne),
        { concurrency: "unbounded" },
      )
      expect(Option.getOrThrow(yield* repo.find("alpha")).session.status).toBe("50")
      expect(yield* Effect.flip(repo.remove("alpha", isStatus("0")))).toBe("changed")
      expect((yield* repo.remove("alpha", isStatus("50"))).id).toBe("alpha")
      expect(yield* Effect.flip(repo.set("alpha", {}, () => Either.void))).toMatchObject({ _tag: "SessionNotFound" })
    }),
  )

  scenario(
    "puts a session in the place of another, which stays the same row",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      expect(yield* repo.put(alpha)).toMatchObject(alpha)
      const before = Option.getOrThrow(yield* repo.find("alpha"))
      expect(yield* repo.put({ ...beta, id: "alpha" })).toMatchObject({ ...beta, id: "alpha" })
      const after = Option.getOrThrow(yield* repo.find("alpha"))
      expect(after.session).toMatchObject({ url: beta.url, status: beta.status })
      expect(after.session.createdAt).toBe(before.session.createdAt)
      expect(after.incarnation).toBe(before.incarnation)
      expect(yield* repo.list).toHaveLength(1)
      expect(yield* repo.count).toBe(1)
    }),
  )

  scenario(
    "tells sessions that take requests from others, also where there are thousands",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      expect(yield* repo.tally).toEqual({ forwarding: 0, others: 0 })
      const statuses = ["active", "online", "ready", "paused", "ACTIVE"]
      const many = Array.from({ length: 5_000 }, (_, index) => ({
        ...alpha,
        id: `session-${index}`,
        status: statuses[index % statuses.length] ?? "",
      }))
      yield* repo.addAll(many, { replace: false })
      expect(yield* repo.tally).toEqual({ forwarding: 3_000, others: 2_000 })
    }),
  )

  scenario(
    "changes only what is asked for",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      yield* repo.add(alpha)
      expect(yield* repo.set("alpha", { status: "stopped" })).toMatchObject({ ...alpha, status: "stopped" })
      expect(yield* repo.set("alpha", { url: beta.url })).toMatchObject({ ...alpha, url: beta.url, status: "stopped" })
      expect(yield* repo.set("alpha", {})).toMatchObject({ id: "alpha", url: beta.url, status: "stopped" })
    }),
  )

  const strict = defaultPolicy
  const policyOf = (repo: typeof SessionRepo.Service, id: string) =>
    Effect.map(repo.find(id), (row) => Option.getOrThrow(row).session.policy)

  scenario(
    "gives a session no policy of its own where none is given, and else what is",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      expect((yield* repo.add(alpha)).policy).toEqual(strict)
      const added = yield* repo.add({ ...beta, policy: { insecure: true, wsPath: "strip" } })
      expect(added.policy).toEqual({ ...strict, insecure: true, wsPath: "strip" })
      expect(yield* policyOf(repo, "alpha")).toEqual(strict)
      expect(yield* policyOf(repo, "beta")).toEqual(added.policy)
      expect((yield* repo.list).map(({ policy }) => policy)).toEqual([strict, added.policy])
      expect((yield* repo.findMany(["beta", "alpha"])).map(({ session }) => session.policy)).toEqual([
        added.policy,
        strict,
      ])
    }),
  )

  scenario(
    "changes only those policies that are asked for, and takes them back",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      yield* repo.add(alpha)
      const steps = [
        [{ wsPath: "full" }, { ...strict, wsPath: "full" }],
        [{ insecure: true }, { ...strict, insecure: true, wsPath: "full" }],
        [{}, { ...strict, insecure: true, wsPath: "full" }],
        [{ wsPath: null }, { ...strict, insecure: true }],
        [{ insecure: false }, strict],
      ] as const
      for (const [policy, expected] of steps) {
        const changed = yield* repo.set("alpha", { policy })
        expect(changed).toMatchObject({ ...alpha, policy: expected })
        expect(yield* policyOf(repo, "alpha")).toEqual(expected)
      }
      yield* repo.set("alpha", { policy: { insecure: true } })
      expect((yield* repo.set("alpha", { status: "stopped" })).policy).toEqual({ ...strict, insecure: true })
    }),
  )

  scenario(
    "lets no session have the policy of an earlier one of its id",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      const lax = { ...strict, insecure: true, wsPath: "strip" } as const
      yield* repo.add({ ...alpha, policy: lax })
      expect((yield* repo.put(alpha)).policy).toEqual(strict)
      expect((yield* repo.put({ ...alpha, policy: { insecure: true } })).policy).toEqual({ ...strict, insecure: true })
      yield* repo.set("alpha", { policy: lax })
      expect((yield* repo.remove("alpha")).policy).toEqual(lax)
      expect((yield* repo.add(alpha)).policy).toEqual(strict)
      expect(yield* policyOf(repo, "alpha")).toEqual(strict)
    }),
  )

  scenario(
    "leaves a policy alone where it refuses to add an id that is there",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      yield* repo.add({ ...alpha, policy: { wsPath: "strip" } })
      yield* Effect.flip(repo.add({ ...alpha, policy: { insecure: true } }))
      expect(yield* policyOf(repo, "alpha")).toEqual({ ...strict, wsPath: "strip" })
    }),
  )

  scenario(
    "stores a URL without the whitespace around it",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      const url = ` \t${alpha.url}\r\n`
      expect(yield* repo.add({ ...alpha, id: "a", url })).toMatchObject({ url: alpha.url })
      expect(yield* repo.put({ ...alpha, id: "b", url })).toMatchObject({ url: alpha.url })
      yield* repo.addAll([{ ...alpha, id: "c", url }], { replace: false })
      const steps = [{ _tag: "Put", session: { ...alpha, id: "d", url } }] as const
      yield* repo.apply(steps, { replace: false, partly: false })
      yield* repo.add({ ...beta, id: "e" })
      expect(yield* repo.set("e", { url })).toMatchObject({ url: alpha.url })
      expect((yield* repo.list).map((session) => session.url)).toEqual(Array.from("abcde", () => alpha.url))
    }),
  )

  scenario(
    "refuses what can be no session, and writes nothing of it",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      yield* repo.add(alpha)
      const wrong: object = { wsPath: "sideways" }
      const cases: ReadonlyArray<readonly [NewSession, problem: string]> = [
        [{ ...beta, id: "" }, "a session id cannot be empty"],
        [{ ...beta, id: "health" }, '"health" is reserved: the proxy answers /health itself'],
        [{ ...beta, id: "ws" }, '"ws" is reserved'],
        [{ ...beta, id: "\ud800" }, "a session id must be valid Unicode"],
        [{ ...beta, url: "" }, 'the URL "" cannot be used: it is empty'],
        [{ ...beta, url: "http://h/?q" }, "it has a query"],
        [{ ...beta, url: "http://h/#f" }, "it has a fragment"],
        [{ ...beta, url: "ftp://u:secret@h" }, '***@h" cannot be used: its scheme is "ftp"'],
        [{ ...beta, url: "wss://***@h/x" }, '***@h/x" cannot be used: its user name and password were left out'],
        [{ ...beta, policy: wrong }, 'its policy wsPath is "sideways"; it must be one of append, full, strip, or null'],
      ]
      for (const [session, problem] of cases) {
        const many = repo.addAll([{ ...alpha, id: "gamma" }, session], { replace: true })
        for (const refused of [repo.add(session), repo.put(session), Effect.as(many, undefined)]) {
          const error = yield* Effect.flip<unknown, { readonly message: string }, never>(refused)
          expect(error).toMatchObject({ _tag: "SessionInvalid", sessionId: session.id })
          expect(error.message).toContain(problem)
        }
      }
      for (const change of [{ url: "http://h/?q" }, { url: "***@h" }, { policy: wrong }])
        expect(yield* Effect.flip(repo.set("alpha", change))).toMatchObject({ _tag: "SessionInvalid" })
      expect(yield* repo.list).toMatchObject([alpha])
    }),
  )

  const controlOf = (repo: typeof SessionRepo.Service, id: string) =>
    Effect.map(repo.find(id), (row): SessionControl => {
      const { control } = Option.getOrThrow(row).session
      if (isUnusable(control)) throw new Error(control.problem)
      return control
    })

  scenario(
    "drains a session for as long as was said, and ends that; the session itself does not change",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      const added = yield* repo.add({ ...alpha, policy: { wsPath: "strip" } })
      expect(added.control).toEqual(noControl)
      const before = Date.now()
      const draining = yield* repo.drain("alpha", 30_000)
      const { since = 0, until = 0 } = drainOf(draining.control) ?? {}
      expect(until - since).toBe(30_000)
      expect(since).toBeGreaterThanOrEqual(before)
      expect({ ...draining, control: noControl }).toEqual({ ...added })
      expect(yield* controlOf(repo, "alpha")).toEqual(draining.control)
      expect((yield* repo.list).map(({ control }) => control)).toEqual([draining.control])
      expect((yield* repo.findMany(["alpha"])).map(({ session }) => session.control)).toEqual([draining.control])
      expect((yield* repo.set("alpha", { status: "ready" })).control).toEqual(draining.control)
      const again = drainOf((yield* repo.drain("alpha", 0)).control)
      expect(again?.since).toBe(again?.until)
      expect((yield* repo.resume("alpha")).control).toEqual(noControl)
      expect((yield* repo.resume("alpha")).control).toEqual(noControl)
      expect(yield* controlOf(repo, "alpha")).toEqual(noControl)
    }),
  )

  scenario(
    "kills a session any number of times, each with another and larger number, and says how WebSockets are to be closed",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      yield* repo.add(alpha)
      let last = 0
      for (let count = 0; count < 100; count++) {
        const { kills } = (yield* repo.kill("alpha")).control
        expect(kills).toBeGreaterThan(last)
        last = kills
      }
      expect((yield* controlOf(repo, "alpha")).close).toEqual(defaultClose)
      yield* repo.kill("alpha", { code: 4_321, reason: "because" })
      expect((yield* controlOf(repo, "alpha")).close).toEqual({ code: 4_321, reason: "because" })
      yield* repo.kill("alpha", { reason: "" })
      expect((yield* controlOf(repo, "alpha")).close).toEqual({ code: 1_001, reason: "" })
      yield* repo.kill("alpha")
      expect((yield* controlOf(repo, "alpha")).close).toEqual(defaultClose)
    }),
  )

  scenario(
    "keeps the drain of a session that is killed, and its kills while it drains",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      yield* repo.add(alpha)
      yield* repo.drain("alpha", 5_000)
      const drain = (yield* controlOf(repo, "alpha")).drain
      yield* repo.kill("alpha", { code: 1_012 })
      const killed = yield* controlOf(repo, "alpha")
      expect(killed.drain).toEqual(drain)
      yield* repo.drain("alpha", 6_000)
      yield* repo.resume("alpha")
      expect(yield* controlOf(repo, "alpha")).toEqual({ ...killed, drain: undefined })
    }),
  )

  scenario(
    "lets no session drain for an earlier one of its id, and gives no number of kills a second time",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      yield* repo.add(alpha)
      const again: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
        Effect.suspend(() => repo.put(alpha)),
        Effect.suspend(() => repo.addAll([beta, alpha], { replace: true })),
        Effect.suspend(() => Effect.zipRight(repo.remove("alpha"), repo.add(alpha))),
        Effect.suspend(() => Effect.zipRight(repo.remove("alpha"), repo.addAll([alpha], { replace: false }))),
      ]
      const numbers = new Set<number>()
      for (const anew of again) {
        yield* repo.drain("alpha", 30_000)
        numbers.add((yield* repo.kill("alpha", { code: 4_000 })).control.kills)
        yield* Effect.sleep(2)
        yield* anew
        expect(yield* controlOf(repo, "alpha")).toEqual(noControl)
      }
      expect(numbers.size).toBe(again.length)
    }),
  )

  scenario(
    "gives back a session that drained when it removes it",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      yield* repo.add(alpha)
      const draining = yield* repo.drain("alpha", 1_000)
      expect(yield* repo.remove("alpha")).toEqual(draining)
    }),
  )

  scenario(
    "refuses to drain and to kill as nobody can, and what is not there",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      yield* repo.add(alpha)
      const wrong: ReadonlyArray<readonly [Effect.Effect<unknown, unknown>, problem: string]> = [
        [repo.drain("alpha", -1), "it cannot drain for -1 ms"],
        [repo.drain("alpha", Number.NaN), "it cannot drain for NaN ms"],
        [repo.drain("alpha", Number.POSITIVE_INFINITY), "it cannot drain for"],
        ...[1_000, 1_005, 1_006, 3_999, 5_000, 4_000.5, Number.NaN].map(
          (code) => [repo.kill("alpha", { code }), "its close code is"] as const,
        ),
        [repo.kill("alpha", { reason: "é".repeat(51) }), "it must be a text of at most 100 bytes"],
        [repo.kill("alpha", { reason: "\ud800" }), "its close reason is"],
      ]
      for (const [refused, problem] of wrong) {
        const error = yield* Effect.flip(refused)
        expect(error).toMatchObject({ _tag: "SessionInvalid", sessionId: "alpha" })
        expect(Reflect.get(Object(error), "message")).toContain(problem)
      }
      yield* repo.kill("alpha", { reason: "é".repeat(50) })
      expect(drainOf((yield* repo.drain("alpha", Number.MAX_SAFE_INTEGER)).control)?.until).toBe(8.64e15)
      expect(drainOf((yield* repo.drain("alpha", 0.5)).control)).toBeDefined()
      const missing = { _tag: "SessionNotFound", sessionId: "beta" }
      expect(yield* Effect.flip(repo.drain("beta", 0))).toMatchObject(missing)
      expect(yield* Effect.flip(repo.resume("beta"))).toMatchObject(missing)
      expect(yield* Effect.flip(repo.kill("beta"))).toMatchObject(missing)
    }),
  )

  scenario(
    "adds many at once, with their policies, and says when they are in force",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      const many = Array.from({ length: 2_345 }, (_, index) => ({ ...alpha, id: `s${index}` }))
      const lax = { ...beta, policy: { ...strict, insecure: true, wsPath: "strip" } as const }
      const told: Array<string> = []
      const watcher = {
        written: (count: number) => void told.push(`written ${count}`),
        committed: (replaced: number) => void told.push(`committed, ${replaced} replaced`),
      }
      const version = yield* repo.version()
      expect(yield* repo.addAll([...many, lax], { replace: false, watcher })).toBe(0)
      expect(told.slice(-2)).toEqual(["written 2346", "committed, 0 replaced"])
      expect(yield* repo.version()).not.toBe(version)
      expect(yield* repo.count).toBe(2_346)
      expect(Option.getOrThrow(yield* repo.find("s2344")).session).toMatchObject({ ...alpha, id: "s2344" })
      expect(yield* policyOf(repo, "beta")).toEqual(lax.policy)
      expect(yield* policyOf(repo, "s0")).toEqual(strict)
    }),
  )

  scenario(
    "adds none of many where one is there, and names it; or puts them in its place",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      const first = yield* repo.add({ ...alpha, policy: { insecure: true, wsPath: "full" } })
      const many = [beta, { ...alpha, url: "http://elsewhere" }]
      expect(yield* Effect.flip(repo.addAll(many, { replace: false }))).toMatchObject({
        _tag: "SessionsExist",
        sessionIds: ["alpha"],
      })
      expect(yield* repo.list).toEqual([first])
      expect(yield* repo.addAll(many, { replace: true })).toBe(1)
      const after = Option.getOrThrow(yield* repo.find("alpha")).session
      expect(after).toMatchObject({ url: "http://elsewhere", createdAt: first.createdAt, policy: strict })
      expect(yield* repo.count).toBe(2)
    }),
  )

  scenario(
    "adds nothing at all where there is nothing to add",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      expect(yield* repo.addAll([], { replace: true })).toBe(0)
      expect(yield* repo.list).toEqual([])
    }),
  )

  scenario(
    "gives back what was removed",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      yield* repo.add(alpha)
      expect(yield* repo.remove("alpha")).toMatchObject(alpha)
      expect(yield* repo.find("alpha")).toEqual(Option.none())
    }),
  )

  scenario(
    "says that there is nothing to change or to remove",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      const missing = { _tag: "SessionNotFound", sessionId: "alpha" }
      expect(yield* Effect.flip(repo.set("alpha", { status: "active" }))).toMatchObject(missing)
      expect(yield* Effect.flip(repo.remove("alpha"))).toMatchObject(missing)
    }),
  )

  scenario(
    "lists by the bytes of the id, and finds many at once",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      const ids = ["b", "\u{1F600}", "B", "a b/%", "\uFF21", "it's", "ä"]
      for (const id of ids) yield* repo.add({ ...alpha, id })
      const ordered = ["B", "a b/%", "b", "it's", "ä", "\uFF21", "\u{1F600}"]
      expect((yield* repo.list).map(({ id }) => id)).toEqual(ordered)
      const found = yield* repo.findMany(["nobody", "it's", "\u{1F600}"])
      expect(found.map(({ session }) => session.id).sort()).toEqual(["it's", "\u{1F600}"])
    }),
  )

  scenario(
    "shows a new version after every write, and the same one while nothing is written",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      let last = yield* repo.version()
      const differs = Effect.gen(function* () {
        const version = yield* repo.version()
        expect(version).not.toBe(last)
        last = version
        yield* repo.find("alpha")
        yield* repo.list
        expect(yield* repo.version()).toBe(last)
      })
      yield* repo.add(alpha)
      yield* differs
      yield* repo.put(beta)
      yield* differs
      yield* repo.put({ ...beta, status: "active" })
      yield* differs
      yield* repo.set("alpha", { status: "stopped" })
      yield* differs
      yield* repo.set("alpha", { policy: { insecure: true } })
      yield* differs
      yield* repo.drain("alpha", 1_000)
      yield* differs
      yield* repo.kill("alpha")
      yield* differs
      yield* repo.resume("alpha")
      yield* differs
      yield* repo.remove("alpha")
      yield* differs
    }),
  )

  scenario(
    "gives a row one incarnation through all its changes, and another row none of the same, if it knows them at all",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      const incarnation = Effect.suspend(() => repo.find("alpha")).pipe(
        Effect.map((row) => Option.getOrThrow(row).incarnation),
      )
      yield* repo.add(alpha)
      const before = yield* incarnation
      yield* repo.set("alpha", { url: beta.url, status: beta.status, policy: { insecure: true } })
      yield* repo.put(alpha)
      yield* repo.addAll([alpha], { replace: true })
      yield* repo.drain("alpha", 0)
      yield* repo.kill("alpha")
      expect(yield* incarnation).toBe(before)
      yield* repo.remove("alpha")
      yield* repo.add(alpha)
      if (before !== undefined) expect(yield* incarnation).not.toBe(before)
    }),
  )

  scenario(
    "answers what a request asks without a fiber, where it need not ask somebody else",
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      yield* repo.add(alpha)
      expect(Exit.isExit(repo.find("alpha"))).toBe(!afar.includes(name))
      expect(Exit.isExit(repo.find("nobody"))).toBe(!afar.includes(name))
      expect(Exit.isExit(repo.version())).toBe(true)
    }),
  )
})
