import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fc from "fast-check"
import { mergedErrors } from "../../src/admin/fleet/LatestErrors.js"
import { type LivePlaces, mergedPage } from "../../src/admin/fleet/LiveThings.js"
import { readinessOf } from "../../src/admin/fleet/Processes.js"
import { type Answers, questions, type SeenSession, type WatchedNumbers } from "../../src/admin/fleet/Questions.js"
import { liveCountsView, mergedWatched } from "../../src/admin/fleet/SessionRates.js"
import { mergedSeen } from "../../src/admin/fleet/SessionsSeen.js"
import { timestamp } from "../../src/admin/fleet/Shapes.js"
import { durationBounds } from "../../src/telemetry/Totals.js"

type View = Effect.Effect.Success<ReturnType<Answers["live"]>>[number]
type ErrorView = Effect.Effect.Success<ReturnType<Answers["errors"]>>[number]

const viewOf = (process: string, serial: number, since: number): View => ({
  id: `${process}-${serial.toString(36)}`,
  session: "app",
  kind: "request",
  request_id: "",
  client: "",
  method: "GET",
  target: "/",
  status: 0,
  server: "",
  since: timestamp(since),
  age_ms: 0,
  silent_ms: 0,
  bytes_in: serial,
  bytes_out: 0,
  messages_in: 0,
  messages_out: 0,
})

const names = ["aa", "bb", "cc"]

/** What each of three processes has under way: when each thing began, in the order of their serial numbers. */
const fleets = fc.tuple(...names.map(() => fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 12 })))

const times = { lastRequestAt: 0, lastClientAt: 0, lastServerAt: 0, lastKind: undefined } as const

const seenOf = (requests: number, lastServerAt: number, state: "ok" | "failing"): SeenSession => ({
  activity: { ...times, lastServerAt, requests, errors: 0, bytesIn: 0, bytesOut: 0 },
  health: { state, since: null, failures: 0, last_error: null, checked: "passive" },
})

describe("answers of several processes", () => {
  it("are pages that show each thing once, and each process's in its order", () => {
    fc.assert(
      fc.property(fleets, fc.integer({ min: 1, max: 5 }), (begun, limit) => {
        const all = begun.map((since, at) => since.map((time, index) => viewOf(names[at] ?? "", index + 1, time)))
        const shown: Array<string> = []
        let after: LivePlaces | undefined = []
        while (after !== undefined) {
          const places: ReadonlyMap<string, number> = new Map(after)
          const found = all.map((views, at) => ({
            from: { name: String(at), generation: 1 },
            answer: views.filter((_, index) => index + 1 > (places.get(names[at] ?? "") ?? 0)).slice(0, limit + 1),
          }))
          const page = mergedPage({ found, missing: [] }, { after, limit, sort: "age" })
          assert.isAtMost(page.found.length, limit)
          shown.push(...page.found.map(({ id }) => id))
          after = page.next
        }
        assert.sameMembers(
          shown,
          all.flat().map(({ id }) => id),
        )
        for (const [at, name] of names.entries())
          assert.deepStrictEqual(
            shown.filter((id) => id.startsWith(name)),
            all[at]?.map(({ id }) => id),
          )
      }),
    )
  })

  it("are those of the most bytes, in one page", () => {
    const found = names.map((name, at) => ({
      from: { name, generation: 1 },
      answer: [viewOf(name, at + 4, 0), viewOf(name, at + 1, 0)],
    }))
    const page = mergedPage({ found, missing: ["dd"] }, { after: [], limit: 3, sort: "bytes" })
    assert.deepStrictEqual(
      page.found.map(({ bytes_in, worker }) => [bytes_in, worker]),
      [
        [6, "cc"],
        [5, "bb"],
        [4, "aa"],
      ],
    )
    assert.deepStrictEqual([page.next, page.missing], [undefined, ["dd"]])
  })

  it("are one list of failures, newest first", () => {
    const failure = (time: number): ErrorView => ({
      time: timestamp(time),
      session: null,
      code: "",
      fault: "proxy",
      reason: null,
      status: 0,
      request_id: "",
      method: "",
      target: "",
      server: null,
    })
    const found = [
      { from: { name: "1.1", generation: 1 }, answer: [failure(9), failure(3)] },
      { from: { name: "2.1", generation: 1 }, answer: [failure(7)] },
    ]
    assert.deepStrictEqual(
      mergedErrors({ found, missing: [] }, 2).map(({ time, worker }) => [time, worker]),
      [
        [timestamp(9), "1.1"],
        [timestamp(7), "2.1"],
      ],
    )
  })

  it("about a session add up; of times the latest counts, of health the worst, and who knows nothing changes nothing", () => {
    const unknown: SeenSession = { activity: null, health: null }
    const merged = mergedSeen(mergedSeen(seenOf(2, 50, "ok"), unknown), seenOf(3, 40, "failing"))
    assert.deepStrictEqual(
      [merged.activity?.requests, merged.activity?.lastServerAt, merged.health?.state],
      [5, 50, "failing"],
    )
    assert.deepStrictEqual(mergedSeen(unknown, unknown), unknown)
  })

  it("are rates of a session together, with the latencies of all of its requests", () => {
    const buckets = durationBounds.map(() => 0)
    const watched = (requests: number, slow: boolean, time: number): WatchedNumbers => ({
      live: { requests, streams: 0, websockets: 0 },
      rates: { requests, errors: 0, bytesIn: 0, bytesOut: 1, latencies: buckets.with(slow ? -1 : 0, requests) },
      lastError: { code: `at_${time}`, time },
    })
    const silent: WatchedNumbers = { live: watched(0, false, 0).live, rates: null, lastError: null }
    const view = liveCountsView([watched(99, false, 2), silent, watched(1, true, 1)].reduce(mergedWatched))
    assert.deepStrictEqual([view.requests, view.requests_per_second, view.last_error], [100, 100, "at_2"])
    assert.isAtMost(view.p50_ms ?? Infinity, 1)
    assert.isNull(liveCountsView(mergedWatched(silent, silent)).requests_per_second)
  })

  it("say that the proxy is ready where one takes something new, and all that do can read the store", () => {
    const one = (draining: boolean, readable: boolean) => ({ draining, readable })
    const ready = (...found: ReadonlyArray<ReturnType<typeof one>>) => {
      const { listening, readable, taking } = readinessOf(found)
      return listening && readable && taking
    }
    assert.isTrue(ready(one(false, true)))
    assert.isTrue(ready(one(true, false), one(false, true)))
    assert.isFalse(ready(one(false, true), one(false, false)))
    assert.isFalse(ready(one(true, true)))
    assert.isFalse(ready())
  })

  it.effect("are the same behind the wire, with what is not known and what is no number", () =>
    Effect.gen(function* () {
      const counted = Float64Array.of(0, 1.5, Number.NaN, 0, 7)
      const look = { layout: "x", counted, streams: 0, loop: 0.25 }
      const { look: row, seen } = questions
      assert.deepStrictEqual(yield* Effect.flatMap(row.write(look), row.read), look)
      const session = [["app", seenOf(1, 2, "ok")] as const]
      assert.deepStrictEqual(yield* Effect.flatMap(seen.write(session), seen.read), session)
    }),
  )
})
