// What the page reads of the API's answers. A test holds these to the API's own schemas.

export interface LastFailure {
  readonly code: string
  readonly reason: string | null
  readonly time: string
}

export interface Health {
  readonly state: "ok" | "failing" | "unknown"
  readonly since: string | null
  readonly failures: number
  readonly last_error: LastFailure | null
  readonly checked: "passive" | "active"
}

export interface LiveCounts {
  readonly requests: number
  readonly streams: number
  readonly websockets: number
  readonly requests_per_second?: number | null
  readonly errors_per_second?: number | null
  readonly bytes_in_per_second?: number | null
  readonly bytes_out_per_second?: number | null
  readonly p50_ms?: number | null
  readonly p99_ms?: number | null
  readonly last_error?: string | null
}

export interface ActivityTimes {
  readonly last_request_at: string | null
  readonly last_client_at: string | null
  readonly last_server_at: string | null
  readonly last_kind: string | null
  readonly idle_seconds: number | null
  readonly requests: number
  readonly errors: number
  readonly bytes_in: number
  readonly bytes_out: number
}

export interface Activity extends ActivityTimes {
  readonly last_client: string | null
  readonly uncounted: { readonly pings: number; readonly ignored_requests: number }
  readonly problem: string | null
}

/** A session. Its policies are among its fields, by the names of their columns. */
export interface Session {
  readonly id: string
  readonly url: string
  readonly status: string
  readonly forwards: boolean
  readonly created_at: string | null
  readonly updated_at: string | null
  readonly draining_until?: string | null
  readonly health?: Health | null
  readonly live?: LiveCounts
  readonly activity?: ActivityTimes
  readonly [policy: string]: unknown
}

export interface SessionPage {
  readonly sessions: ReadonlyArray<Session>
  readonly next: string | null
  readonly missing: ReadonlyArray<string>
}

/** What an event says of a session that is looked at. */
export interface SessionChange {
  readonly id: string
  readonly removed?: boolean
  readonly status?: string
  readonly forwards?: boolean
  readonly draining_until?: string | null
  readonly health?: Health | null
  readonly live?: LiveCounts
  readonly idle_seconds?: number | null
}

export interface Live {
  readonly id: string
  readonly session: string
  readonly kind: string
  readonly client: string
  readonly method: string
  readonly target: string
  readonly status: number
  readonly server: string
  readonly age_ms: number
  readonly silent_ms: number
  readonly bytes_in: number
  readonly bytes_out: number
  readonly messages_in: number
  readonly messages_out: number
}

export interface LivePage {
  readonly live: ReadonlyArray<Live>
  readonly next: string | null
  readonly missing: ReadonlyArray<string>
}

export interface Sample {
  readonly time: string
  readonly requests_per_second: number
  readonly answers_per_second: Readonly<Record<"1xx" | "2xx" | "3xx" | "4xx" | "5xx" | "none", number>>
  readonly errors_per_second: number
  readonly bytes_in_per_second: number
  readonly bytes_out_per_second: number
  readonly p50_ms: number | null
  readonly p99_ms: number | null
  readonly first_byte_p99_ms: number | null
  readonly requests: number
  readonly streams: number
  readonly websockets: number
  readonly loop_utilization: number
}

export interface Stats {
  readonly sample: Sample
  readonly sessions: {
    readonly known: number
    readonly draining: number
    readonly forwarding: number | null
    readonly others: number | null
  }
  readonly store: {
    readonly state: "ok" | "failing"
    readonly last_ok_at: string | null
    readonly problem: string | null
  }
  readonly process: string
  readonly missing: ReadonlyArray<string>
}

export interface History {
  readonly samples: ReadonlyArray<Sample>
  readonly missing: ReadonlyArray<string>
}

export interface Process {
  readonly process: string
  readonly pid: number
  readonly started_at: string
  readonly uptime_seconds: number
  readonly draining: boolean
  readonly live: { readonly requests: number; readonly streams: number; readonly websockets: number }
  readonly memory: { readonly rss: number; readonly heap_used: number }
  readonly loop_utilization: number
  readonly role: "proxy" | "worker" | "supervisor"
  /** Of workers only. */
  readonly worker: string | null
  readonly generation: number | null
}

export interface Failure {
  readonly time: string
  readonly session: string | null
  readonly code: string
  readonly fault: string
  readonly reason: string | null
  readonly status: number
  readonly request_id: string
  readonly method: string
  readonly target: string
  readonly server: string | null
}

export interface Version {
  readonly version: string
  readonly node: string
  readonly started_at: string
}

export interface Setting {
  readonly name: string
  readonly value: string
  readonly from: string
}

export interface Explanation {
  readonly target: string | null
  readonly verdict: {
    readonly forwards: boolean
    readonly status: number | null
    readonly code: string | null
    readonly detail: string
  }
  readonly steps: ReadonlyArray<string>
}
