import { EventReader, type ServerEvent } from "../wire/EventReader.js"

/** What the proxy said instead of doing what it was asked: `detail` is a sentence, `code` stable. 0: it could not be asked. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
  ) {
    super(detail)
  }
}

interface Question {
  readonly method?: string
  /** Becomes JSON. */
  readonly body?: unknown
  readonly type?: string
  readonly fields?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

export interface Answer<A> {
  readonly value: A
  readonly etag: string | null
}

const problemOf = async (response: Response): Promise<Problem> => {
  const body: unknown = await response.json().catch(() => undefined)
  const said = typeof body === "object" && body !== null ? body : {}
  const detail = "detail" in said && typeof said.detail === "string" ? said.detail : response.statusText
  const code = "code" in said && typeof said.code === "string" ? said.code : "unknown"
  return new Problem(response.status, code, detail)
}

/** Asks the proxy, with the token of this tab. */
export class Api {
  /** Whether the token may change something, as far as is known. */
  mayWrite = true

  constructor(
    private readonly token: string,
    private readonly refused: (problem: Problem) => void,
    private readonly accessChanged: () => void,
  ) {}

  private async send(path: string, { body, fields, method = "GET", signal, type }: Question): Promise<Response> {
    const headers = {
      Authorization: `Bearer ${this.token}`,
      ...(body !== undefined && { "Content-Type": type ?? "application/json" }),
      ...fields,
    }
    const text = body === undefined ? null : JSON.stringify(body)
    const response = await fetch(path, {
      method,
      headers,
      body: text,
      signal: signal ?? null,
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
    }).catch((error: unknown) => {
      if (signal?.aborted === true) throw error
      throw new Problem(0, "no_answer", "The proxy does not answer.")
    })
    this.readAccess(response)
    if (response.ok) return response
    const problem = await problemOf(response)
    if (problem.status === 401) this.refused(problem)
    throw problem
  }

  private readAccess(response: Response): void {
    const access = response.headers.get("SS-Proxy-Access")
    if (access === null || (access === "write") === this.mayWrite) return
    this.mayWrite = access === "write"
    this.accessChanged()
  }

  /** The JSON value that is the answer, with its entity tag. */
  async tagged<A>(path: string, question: Question = {}): Promise<Answer<A>> {
    const response = await this.send(path, question)
    return { value: await response.json(), etag: response.headers.get("ETag") }
  }

  async get<A>(path: string, signal?: AbortSignal): Promise<A> {
    return (await this.tagged<A>(path, signal === undefined ? {} : { signal })).value
  }

  /** Changes something, where what comes back does not matter. */
  async change(path: string, question: Question): Promise<void> {
    const response = await this.send(path, question)
    await response.body?.cancel()
  }

  /** Reads events until the stream ends or `signal` ends it. `opened`: the first bytes are there. */
  async events(
    path: string,
    signal: AbortSignal,
    heard: (event: ServerEvent) => void,
    opened: () => void,
  ): Promise<void> {
    const response = await this.send(path, { signal, fields: { Accept: "text/event-stream" } })
    opened()
    const events = new EventReader()
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
    for (;;) {
      const piece = await reader?.read()
      if (piece === undefined || piece.done) return
      for (const event of events.take(piece.value)) heard(event)
    }
  }
}

/** A path with a query of what is given; what is empty is left out. */
export const withQuery = (path: string, query: Readonly<Record<string, string | undefined>>): string => {
  const given = Object.entries(query).filter(
    (pair): pair is [string, string] => pair[1] !== undefined && pair[1] !== "",
  )
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`
}

/** The path of a session, whatever its id. */
export const sessionPath = (id: string, rest = ""): string => `/v1/sessions/${encodeURIComponent(id)}${rest}`
