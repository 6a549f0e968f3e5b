import { assert, describe, it } from "@effect/vitest"
import { Exit, Option } from "effect"
import { Session } from "../../src/domain/Session.js"
import type { RowAnswer } from "../../src/sessions/KnownRow.js"
import { LiveSessions } from "../../src/sessions/LiveSessions.js"
import { idleSince, idleTime, mergedTimes, neverActive, SessionActivity } from "../../src/sessions/SessionActivity.js"

const rowOf = (url: string, status = "active") =>
  Option.some({ session: new Session({ id: "a", url, status, createdAt: null, updatedAt: null }) })

const activityIn = (answer: RowAnswer) =>
  Exit.match(answer, { onFailure: () => undefined, onSuccess: (live) => live.activity })

describe("the numbers of a session", () => {
  const begin = () => {
    const sessions = new LiveSessions(10, { watched: () => {}, noneWatched: () => {} })
    const first = activityIn(sessions.update("a", rowOf("http://h:1"), 1))
    assert.isDefined(first)
    return { first, sessions }
  }

  it("go from one lifetime to the next, also where a URL in between cannot be used", () => {
    const { first, sessions } = begin()
    assert.strictEqual(activityIn(sessions.update("a", rowOf("http://h:2"), 2)), first)
    sessions.update("a", rowOf("no URL at all"), 3)
    assert.strictEqual(sessions.activityOf("a"), first)
    assert.strictEqual(activityIn(sessions.update("a", rowOf("http://h:3"), 4)), first)
  })

  it("stay while it does not forward", () => {
    const { first, sessions } = begin()
    sessions.update("a", rowOf("http://h:1", "paused"), 2)
    assert.strictEqual(sessions.activityOf("a"), first)
    assert.strictEqual(activityIn(sessions.update("a", rowOf("http://h:1"), 3)), first)
  })

  it("begin anew where it was seen removed", () => {
    const { first, sessions } = begin()
    sessions.update("a", Option.none(), 2)
    assert.isUndefined(sessions.activityOf("a"))
    assert.notStrictEqual(activityIn(sessions.update("a", rowOf("http://h:1"), 3)), first)
  })
})

describe("when a session was last active", () => {
  const now = Date.UTC(2027, 0, 15, 8)
  const day = 86_400_000
  const timesOf = ({ lastClientAt, lastRequestAt, lastServerAt }: SessionActivity) =>
    [lastRequestAt, lastClientAt, lastServerAt] as const
  const activeAt = (time: number): SessionActivity => {
    const activity = new SessionActivity("a")
    activity.requested(time, time)
    activity.serverHeard(time)
    return activity
  }

  it("stays where the clock is set back, but not where it was days ahead", () => {
    for (const [ahead, expected] of [
      [day, now + day],
      [365 * day, now],
    ] as const) {
      const activity = activeAt(now + ahead)
      activity.requested(now, now)
      activity.serverHeard(now)
      assert.deepStrictEqual(timesOf(activity), [expected, expected, expected])
    }
  })

  it("stays where a request is answered that began days ago", () => {
    const activity = activeAt(now)
    activity.requested(now - 3 * day, now)
    assert.deepStrictEqual(timesOf(activity), [now, now, now])
  })
})

describe("since when a session is idle", () => {
  const added = "2027-01-15 08:00:00"
  const addedAt = Date.UTC(2027, 0, 15, 8)

  it("is the last of its times, or when it was added where that is later or it never was active", () => {
    const times = {
      lastRequestAt: addedAt + 1,
      lastClientAt: addedAt + 3,
      lastServerAt: addedAt + 2,
      lastKind: undefined,
    }
    assert.strictEqual(idleSince(added, times), addedAt + 3)
    assert.strictEqual(idleSince(null, times), addedAt + 3)
    assert.strictEqual(idleSince(added, neverActive), addedAt)
    assert.strictEqual(idleSince(added, { ...neverActive, lastServerAt: addedAt - 1 }), addedAt)
  })

  it.each([null, "", "yesterday", "1700000000", "2027-13-45 99:00:00", "2027-01-15T08:00:00Z"])(
    "is not known where it never was active and was added %j",
    (createdAt) => assert.isUndefined(idleSince(createdAt, neverActive)),
  )

  it("is never in the future", () => {
    assert.strictEqual(idleTime(addedAt + 3_600_000, addedAt), 0)
    assert.strictEqual(idleTime(addedAt, addedAt + 5), 5)
  })

  it("is the same whoever tells what first", () => {
    const one = { lastRequestAt: 5, lastClientAt: 1, lastServerAt: 0, lastKind: "request" } as const
    const other = { lastRequestAt: 1, lastClientAt: 2, lastServerAt: 9, lastKind: "websocket" } as const
    const merged = { lastRequestAt: 5, lastClientAt: 2, lastServerAt: 9, lastKind: "websocket" } as const
    assert.deepStrictEqual(mergedTimes(one, other), merged)
    assert.deepStrictEqual(mergedTimes(other, one), mergedTimes(one, other))
  })
})
