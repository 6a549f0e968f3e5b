import type { Failure, Live } from "../../src/dashboard/Shapes.js"
import { type FakeOptions, fakeSession, type FakeSession, noLive, wave } from "./FakeProxy.js"

// What the pictures of the dashboard show.

const names = ["alice", "bob", "carla", "dmitri", "elif", "farid", "grace", "hugo", "ines", "jonas", "kira", "liu"]

const sessionAt = (index: number): FakeSession => {
  const name = names[index % names.length] ?? "x"
  const id = `${name}-${((index * 2_654_435_761) >>> 0).toString(16).padStart(8, "0").slice(0, 6)}`
  const busy = wave(index, 11) > 0.35
  const isPaused = index % 17 === 9
  return fakeSession(id, {
    url: `http://10.0.${index % 4}.${(index * 7) % 250}:9000`,
    status: isPaused ? "paused" : "active",
    forwards: !isPaused,
    draining_until: index % 23 === 4 ? new Date(Date.now() + 24_000).toISOString() : null,
    health:
      index % 29 === 6
        ? {
            state: "failing",
            since: "2026-01-05T09:00:00Z",
            failures: 14,
            last_error: { code: "downstream_unreachable", reason: "refused", time: "2026-01-05T09:00:00Z" },
            checked: "passive",
          }
        : null,
    live: {
      ...noLive,
      requests: busy && !isPaused ? index % 5 : 0,
      streams: index % 7 === 0 ? 2 : 0,
      websockets: isPaused ? 0 : (index * 3) % 15,
      requests_per_second: busy && !isPaused ? 0.4 + 80 * wave(index, 7) * wave(index, 5) : 0,
      errors_per_second: index % 29 === 6 ? 1.4 : 0,
      bytes_out_per_second: busy && !isPaused ? 9_000 * wave(index, 5) * (1 + (index % 9)) : 0,
      p50_ms: busy ? 3 + (index % 6) : null,
      p99_ms: busy ? 11 + 40 * wave(index, 13) : null,
    },
    activity: {
      last_request_at: new Date(Date.now() - 4_000).toISOString(),
      last_client_at: new Date(Date.now() - 4_000).toISOString(),
      last_server_at: new Date(Date.now() - 3_000).toISOString(),
      last_kind: "websocket",
      idle_seconds: busy ? index % 9 : 240 + index * 37,
      requests: 18_204 + index * 7,
      errors: index % 29 === 6 ? 14 : 0,
      bytes_in: 48_000_000,
      bytes_out: 912_000_000,
    },
  })
}

const live = (index: number): Live => ({
  id: `4f2a-${1_000 + index}`,
  session: sessionAt(index).id,
  kind: ["websocket", "stream", "request"][index % 3] ?? "request",
  client: `192.0.2.${10 + index}`,
  method: "GET",
  target: ["/kernels/7c/channels", "/v1/chat/completions", "/api/status"][index % 3] ?? "/",
  status: [101, 200, 0][index % 3] ?? 0,
  server: "10.0.0.7:9000",
  age_ms: 5_400_000 / (index + 1),
  silent_ms: 1_200 * index,
  bytes_in: 12_000 * (index + 1),
  bytes_out: 310_000 * (index + 1),
  messages_in: 200 + index,
  messages_out: 900 + index,
})

const failure = (index: number): Failure => ({
  time: new Date(Date.now() - index * 41_000).toISOString(),
  session: sessionAt(index % 3 === 0 ? 6 : 35).id,
  code: index % 4 === 0 ? "downstream_timeout" : "downstream_unreachable",
  fault: "downstream",
  reason: index % 4 === 0 ? null : "refused",
  status: index % 4 === 0 ? 504 : 502,
  request_id: `${(index * 97_531 + 4_294_967).toString(16)}b83c0fb06974b0d79`,
  method: index % 5 === 0 ? "POST" : "GET",
  target: "/api/contents/report.ipynb",
  server: "10.0.2.42:9000",
})

const record = (index: number): Readonly<Record<string, unknown>> => ({
  time: new Date(Date.now() - (40 - index) * 700).toISOString(),
  method: "GET",
  target: index % 3 === 0 ? "/api/status" : "/api/contents/report.ipynb",
  status: index % 13 === 5 ? 502 : 200,
  duration_ms: 3 + (index % 17),
  bytes_out: 800 * (1 + (index % 9)),
  user_agent: "Mozilla/5.0",
  ...(index % 13 === 5 && { error: "downstream_unreachable" }),
})

const listOf = <A>(length: number, make: (index: number) => A): ReadonlyArray<A> =>
  Array.from({ length }, (_, index) => make(index))

/** A busy afternoon. */
export const scenery = (sessions = 10_000): FakeOptions => ({
  sessions: listOf(sessions, sessionAt).toSorted((one, other) => (one.id < other.id ? -1 : 1)),
  live: listOf(24, live),
  errors: listOf(26, failure),
  records: listOf(40, record),
  pace: 100,
})
