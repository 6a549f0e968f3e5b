import { STATUS_CODES, type ServerResponse } from "node:http"
import { randomHex } from "../wire/RandomHex.js"

/** What the admin listener answers, ready to be written. */
export interface AdminAnswer {
  readonly status: number
  /** Media type of the body. */
  readonly type: string
  readonly body: string | Uint8Array
  /** Further fields: pairs of name and value. One of the fields of every answer is in place of that. */
  readonly fields?: ReadonlyArray<readonly [name: string, value: string]>
}

/** One whose body is a text. */
export interface TextAnswer extends AdminAnswer {
  readonly body: string
}

/** A plain text. */
export const textAnswer = (status: number, body: string): TextAnswer => ({
  status,
  type: "text/plain; charset=utf-8",
  body,
})

/** An error, as those of the proxy itself: problem+json (RFC 9457). `code`: stable, for machines. */
export const problemAnswer = (
  status: number,
  code: string,
  detail: string,
  fields: NonNullable<AdminAnswer["fields"]> = [],
): TextAnswer => {
  const [type, title] = [`urn:ss-proxy:error:${code}`, STATUS_CODES[status] ?? "Error"]
  const problem = { type, title, status, detail, code, request_id: randomHex(16) }
  return { status, type: "application/problem+json", body: `${JSON.stringify(problem)}\n`, fields }
}

/** Fields of every answer, whoever makes it. Never one of CORS: no page of another origin is to read what is here. */
export const ownFields = [
  ["Cache-Control", "no-store"],
  ["X-Content-Type-Options", "nosniff"],
] as const

const fieldsOf = ({ body, fields = [], type }: AdminAnswer): ReadonlyArray<readonly [string, string]> => [
  ["Content-Type", type],
  ["Content-Length", String(Buffer.byteLength(body))],
  ...ownFields.filter(([own]) => fields.every(([name]) => name !== own)),
  ...fields,
]

/** Writes an answer. */
export const writeAnswer = (response: ServerResponse, answer: AdminAnswer): void => {
  response.writeHead(answer.status, fieldsOf(answer).flat())
  response.end(answer.body)
}

/** An answer to what never became a request, as it goes over the connection. */
export const rawAnswer = (answer: TextAnswer): string => {
  const lines = fieldsOf(answer).map(([name, value]) => `${name}: ${value}\r\n`)
  const reason = STATUS_CODES[answer.status] ?? "Error"
  return `HTTP/1.1 ${answer.status} ${reason}\r\n${lines.join("")}Connection: close\r\n\r\n${answer.body}`
}
