import { afterEach, beforeEach, describe, expect, it, vi } from "@effect/vitest"
import type { SessionActivity } from "../../src/sessions/SessionActivity.js"
import { ActivityRound } from "../../src/traffic/ActivityRound.js"
import { targetMatcher } from "../../src/wire/PathGlob.js"
import { LoneTraffic, loneSession } from "./LoneTraffic.js"

const start = 1_800_000_000_000

beforeEach(() => {
  vi.useFakeTimers({
    now: start,
    toFake: ["setInterval", "clearInterval", "setImmediate", "clearImmediate", "performance", "Date"],
  })
  vi.advanceTimersByTime(5_000)
})

afterEach(() => void vi.useRealTimers())

/** Rounds over what a test lets begin and end. */
const startRounds = (ignored: ReadonlyArray<string> = []) => {
  const live: Array<LoneTraffic> = []
  const rounds = new ActivityRound(live, (serial) => `p-${serial}`, targetMatcher(ignored))
  rounds.keep()
  return {
    rounds,
    begin: (session: LoneTraffic["session"], kind: "http" | "websocket", target?: string) => {
      const traffic = new LoneTraffic(session, kind, target)
      live.push(traffic)
      rounds.began(traffic)
      return traffic
    },
    end: (traffic: LoneTraffic) => {
      live.splice(live.indexOf(traffic), 1)
      rounds.ended(traffic)
    },
  }
}

/** Time passes, and what waits for the next turn has it. */
const pass = (milliseconds: number) => vi.advanceTimersByTime(milliseconds)

const timesOf = ({ lastRequestAt, lastClientAt, lastServerAt }: SessionActivity) =>
  [lastRequestAt, lastClientAt, lastServerAt].map((time) => (time === 0 ? "never" : (time - start) / 1_000))

describe("when a session was last active", () => {
  it("is when a short request was answered by its server, to a second", () => {
    const { begin, end } = startRounds()
    const session = loneSession("a")
    const request = begin(session, "http")
    pass(10)
    request.isServed = true
    end(request)
    pass(1_000)
    expect(timesOf(session.activity)).toEqual([5, 5, 6])
    expect(session.activity).toMatchObject({ lastKind: "request", lastClient: "192.0.2.1", requests: 1, errors: 0 })
  })

  it("is known at once where somebody asks", () => {
    const { begin, end, rounds } = startRounds()
    const session = loneSession("a")
    const request = begin(session, "http")
    request.isServed = true
    end(request)
    expect(rounds.openOf("a", session.activity)).toEqual([])
    expect(timesOf(session.activity)).toEqual([5, 5, 5])
  })

  it("does not change with a request that its server never answered, whatever it carried", () => {
    const { begin, end } = startRounds()
    const session = loneSession("a")
    const request = begin(session, "http")
    request.bytesIn = 100
    pass(3_000)
    request.hasFailed = true
    request.bytesOut = 300
    end(request)
    pass(3_000)
    expect(timesOf(session.activity)).toEqual(["never", "never", "never"])
    expect(session.activity).toMatchObject({ requests: 1, errors: 1, bytesIn: 100, bytesOut: 300 })
  })

  it("is dated while an answer streams for hours, and not while it is silent", () => {
    const { begin, end } = startRounds()
    const session = loneSession("a")
    const request = begin(session, "http")
    request.isServed = true
    pass(3_600_000)
    expect(timesOf(session.activity)).toEqual([5, 5, 6])
    request.bytesOut = 10
    pass(1_000)
    expect(timesOf(session.activity)).toEqual([5, 5, 3_606])
    pass(3_600_000)
    end(request)
    pass(1_000)
    expect(timesOf(session.activity)).toEqual([5, 5, 3_606])
  })

  it("is dated while an upload goes on that nobody has answered yet", () => {
    const { begin } = startRounds()
    const session = loneSession("a")
    const request = begin(session, "http")
    for (let second = 0; second < 60; second++) {
      request.bytesIn += 1
      pass(1_000)
    }
    expect(timesOf(session.activity)).toEqual(["never", 65, "never"])
  })

  it("tells the client from a server that thinks for long", () => {
    const { begin, end } = startRounds()
    const session = loneSession("a")
    const request = begin(session, "http")
    request.bytesIn = 50
    pass(90_000)
    request.isServed = true
    request.bytesOut = 5
    end(request)
    pass(1_000)
    expect(timesOf(session.activity)).toEqual([5, 5, 96])
  })

  it("changes with data on a WebSocket, and not with one that is open, or with its pings", () => {
    const { begin, end, rounds } = startRounds()
    const session = loneSession("a")
    const socket = begin(session, "websocket")
    pass(60_000)
    socket.pings = 7
    pass(60_000)
    expect(timesOf(session.activity)).toEqual(["never", "never", "never"])
    socket.bytesIn = 1
    pass(1_000)
    expect(timesOf(session.activity)).toEqual(["never", 126, "never"])
    socket.bytesOut = 1
    pass(1_000)
    expect(timesOf(session.activity)).toEqual(["never", 126, 127])
    pass(60_000)
    expect(rounds.openOf("a", session.activity)).toMatchObject([
      { kind: "websocket", id: "p-7", pings: 7, silence: 60_000, since: start + 5_000, isIgnored: false },
    ])
    const request = begin(session, "http")
    request.isServed = true
    end(request)
    end(socket)
    pass(2_000)
    expect(timesOf(session.activity)).toEqual([187, 187, 188])
    expect(session.activity.lastKind).toBe("request")
    expect(session.activity.pings).toBe(7)
  })

  it("does not change with paths that are ignored, which are counted", () => {
    const { begin, end, rounds } = startRounds(["/api/*", "/**/poll"])
    const session = loneSession("a")
    for (const target of ["/a/api/status?x=1", "/a/x/y/poll", "/a/poll"]) {
      const request = begin(session, "http", target)
      request.isServed = true
      request.bytesOut = 10
      pass(3_000)
      end(request)
      pass(3_000)
    }
    const socket = begin(session, "websocket", "/ws/a/api/live")
    socket.bytesIn = 1
    pass(3_000)
    expect(rounds.openOf("a", session.activity)).toMatchObject([{ isIgnored: true }])
    expect(timesOf(session.activity)).toEqual(["never", "never", "never"])
    expect(session.activity).toMatchObject({ requests: 3, ignoredRequests: 3, bytesOut: 30 })
    const other = begin(session, "http", "/a/api/status/more")
    other.isServed = true
    end(other)
    pass(1_000)
    expect(timesOf(session.activity)[0]).toBe(26)
  })

  it("stays the later one where the clock is set back, and goes on from there", () => {
    const { begin } = startRounds()
    const session = loneSession("a")
    const socket = begin(session, "websocket")
    socket.bytesIn++
    pass(1_000)
    const latest = session.activity.lastClientAt
    vi.setSystemTime(Date.now() - 3_600_000)
    socket.bytesIn++
    pass(1_000)
    expect(session.activity.lastClientAt).toBe(latest)
    vi.setSystemTime(start + 3_600_000)
    socket.bytesIn++
    pass(1_000)
    expect(timesOf(session.activity)[1]).toBe(3_601)
  })

  it("is looked for only while something is under way", () => {
    const { begin, end } = startRounds()
    expect(vi.getTimerCount()).toBe(0)
    const session = loneSession("a")
    const requests = Array.from({ length: 100 }, () => begin(session, "http"))
    expect(vi.getTimerCount()).toBe(1)
    for (const request of requests) end(request)
    pass(2_000)
    expect(vi.getTimerCount()).toBe(0)
  })

  it("is found of each of thousands that are under way, while others end", () => {
    const { begin, end } = startRounds()
    const sessions = Array.from({ length: 5_000 }, (_, index) => loneSession(`s${index}`))
    const sockets = sessions.map((session) => begin(session, "websocket"))
    pass(1_000)
    for (const socket of sockets) socket.bytesIn++
    for (const socket of sockets.filter((_, index) => index % 3 === 0)) end(socket)
    for (let turn = 0; turn < 200; turn++) pass(50)
    expect(new Set(sessions.map(({ activity }) => activity.lastClientAt > 0))).toEqual(new Set([true]))
  })
})

describe("what has changed", () => {
  it("is given once to who keeps it, and again where it is given back", () => {
    const { begin, end, rounds } = startRounds()
    const sessions = ["a", "b"].map(loneSession)
    for (const session of sessions) {
      const request = begin(session, "http")
      request.isServed = true
      end(request)
    }
    const changed = rounds.takeChanged(10)
    expect(changed.map(({ sessionId }) => sessionId)).toEqual(["a", "b"])
    expect(rounds.takeChanged(10)).toEqual([])
    rounds.giveBack(changed)
    rounds.giveBack(changed)
    expect(rounds.takeChanged(10)).toHaveLength(2)
  })

  it("is given in parts that are no larger than asked for, with what nobody has looked at yet", () => {
    const { begin, end, rounds } = startRounds()
    const use = (id: string) => {
      const request = begin(loneSession(id), "http")
      request.isServed = true
      end(request)
    }
    for (const id of ["a", "b", "c"]) use(id)
    pass(1_000)
    for (const id of ["d", "e"]) use(id)
    expect(rounds.waiting).toBe(5)
    const parts = [2, 2, 2, 2].map((most) => rounds.takeChanged(most).map(({ sessionId }) => sessionId))
    expect(parts.map(({ length }) => length)).toEqual([2, 2, 1, 0])
    expect(parts.flat().toSorted()).toEqual(["a", "b", "c", "d", "e"])
    expect(rounds.waiting).toBe(0)
  })
})
