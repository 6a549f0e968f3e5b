import { assert, describe, it } from "@effect/vitest"
import { Effect, FastCheck, Schema } from "effect"
import { SessionView } from "../../src/admin/api/SessionViews.js"
import { type Place, TopList } from "../../src/admin/calls/TopList.js"
import { request } from "../support/HttpText.js"
import { silent } from "../support/RawOrigin.js"
import { startAdminLab } from "./AdminLab.js"

const pageOf = Schema.decodeUnknownSync(
  Schema.Struct({
    sessions: Schema.Array(SessionView),
    next: Schema.NullOr(Schema.String),
    truncated: Schema.Boolean,
  }),
)

/** A lab with sessions `a` to `f` beside `app`, and what a query lists, page by page. */
const startSorted = (options: Parameters<typeof startAdminLab>[0] = {}) =>
  Effect.gen(function* () {
    const lab = yield* startAdminLab(options)
    for (const id of ["a", "b", "c", "d", "e", "f"])
      yield* lab.proxy.repo.put({ id, url: lab.origin.url, status: id === "f" ? "paused" : "active" })
    const list = (query: string) =>
      Effect.gen(function* () {
        const found: Array<string> = []
        for (let after = ""; ;) {
          const { next, sessions, truncated } = pageOf(yield* lab.get(`/v1/sessions?${query}${after}`))
          assert.isFalse(truncated)
          found.push(...sessions.map(({ id }) => id))
          if (next === null) return found.join(" ")
          after = `&after=${next}`
        }
      })
    return { ...lab, list }
  })

describe("sessions in an order", () => {
  it.scopedLive(
    "are those of the largest number first, then all others by id, or the other way round, page by page",
    () =>
      Effect.gen(function* () {
        const { ask, list } = yield* startSorted()
        for (const id of ["b", "d", "d", "e", "e"]) yield* ask(request(`GET /${id}/`))
        for (const limit of [1, 2, 3, 4, 5, 7, 100]) {
          assert.strictEqual(yield* list(`sort=requests&limit=${limit}`), "d e b a app c f")
          assert.strictEqual(yield* list(`sort=bytes&order=asc&limit=${limit}`), "a app c f b d e")
        }
        for (const limit of [1, 2, 7]) {
          assert.strictEqual(yield* list(`order=desc&limit=${limit}`), "f e d c b app a")
          assert.strictEqual(yield* list(`sort=id&order=desc&prefix=a&limit=${limit}`), "app a")
        }
        assert.strictEqual(yield* list("sort=activity&limit=2&status=paused"), "f")
        assert.strictEqual(yield* list("sort=errors&prefix=a"), "a app")
        assert.strictEqual(yield* list("sort=requests&q=e"), "e")
      }),
  )

  it.scopedLive("may be sorted by what is under way, and which are idle", () =>
    Effect.gen(function* () {
      const { list, proxy, trafficOf } = yield* Effect.map(startSorted({ script: silent }), (lab) => ({
        ...lab,
        trafficOf: lab.proxy.trafficCount,
      }))
      const client = yield* proxy.connect
      yield* client.send(request("GET /c/"))
      while ((yield* trafficOf) === 0) yield* Effect.sleep(5)
      assert.strictEqual(yield* list("sort=live"), "c a app b d e f")
      assert.strictEqual(yield* list("idle_for=1h"), "")
      assert.strictEqual(yield* list("idle_for=0s&limit=2"), "a app b c d e f")
      assert.strictEqual(yield* list("idle_for=0s&open=active&limit=2"), "a app b d e f")
      client.socket.destroy()
    }),
  )

  it.scopedLive("by id only go up, and go on behind a cursor of the same order", () =>
    Effect.gen(function* () {
      const { askSocket } = yield* startAdminLab()
      for (const query of ["sort=bytes&after=bm8", "sort=size"])
        assert.include((yield* askSocket(`GET /v1/sessions?${query}`)).startLine, "400")
    }),
  )
})

describe("the first of many places", () => {
  it("are those that sorting all would give, behind a place", () => {
    const place = FastCheck.record({ key: FastCheck.nat(5), id: FastCheck.string({ maxLength: 2 }) })
    FastCheck.assert(
      FastCheck.property(
        FastCheck.uniqueArray(place, { selector: ({ key, id }) => `${key} ${id}` }),
        FastCheck.option(place, { nil: undefined }),
        FastCheck.integer({ min: 1, max: 6 }),
        FastCheck.boolean(),
        (places, after, size, descends) => {
          const order = (one: Place, other: Place): number => {
            if (one.key !== other.key) return descends ? other.key - one.key : one.key - other.key
            return one.id < other.id ? -1 : one.id > other.id ? 1 : 0
          }
          const top = new TopList(size, descends, after)
          for (const one of places) top.add(one)
          const all = places.filter((one) => after === undefined || order(one, after) > 0).toSorted(order)
          assert.deepStrictEqual(top.places, all.slice(0, size))
        },
      ),
    )
  })
})
