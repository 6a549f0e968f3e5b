import { Effect } from "effect"
import { join } from "node:path"
import type { ProxySettings } from "../../src/domain/ProxyConfig.js"
import { temporaryFolder } from "../sessions/temporary.js"
import type { HttpMessage } from "../support/HttpMessage.js"
import { bareRequest } from "../support/HttpText.js"
import { type LabOptions, startLab } from "../support/Lab.js"
import { RawClient } from "../support/RawClient.js"

/** The tokens of the laboratory. */
export const writeToken = "write-token-of-the-laboratory"
export const readToken = "read-token-of-the-laboratory"

const settings = {
  adminPort: 0,
  adminHosts: ["proxy.test"],
  adminToken: writeToken,
  adminReadToken: readToken,
} satisfies Partial<ProxySettings>

/** The JSON value of an answer, whose text has a character for each byte. */
export const jsonOf = ({ text }: HttpMessage): unknown => JSON.parse(Buffer.from(text, "latin1").toString("utf8"))

const withBody = (requestLine: string, fields: ReadonlyArray<string>, body: string | undefined): string => {
  if (body === undefined) return bareRequest(requestLine, fields)
  const hasType = fields.some((field) => /^content-type:/i.test(field))
  const type = hasType ? [] : ["Content-Type: application/json"]
  // The client writes a byte for each character.
  const bytes = Buffer.from(body).toString("latin1")
  return bareRequest(requestLine, [...fields, ...type, `Content-Length: ${bytes.length}`]) + bytes
}

/** A proxy with an admin listener of both kinds, a session `app`, and ways to ask the listener. */
export const startAdminLab = (options: LabOptions = {}) =>
  Effect.gen(function* () {
    const adminSocket = join(yield* temporaryFolder, "admin.sock")
    const lab = yield* startLab({ ...options, settings: { ...settings, adminSocket, ...options.settings } })
    const { adminPort = 0 } = lab.proxy
    /** Asks over TCP as it is: no token is added. */
    const askPort = (requestLine: string, fields: ReadonlyArray<string> = ["Host: localhost"], body?: string) =>
      Effect.scoped(
        Effect.flatMap(RawClient.connect(adminPort), (client) => client.ask(withBody(requestLine, fields, body))),
      )
    /** The same with a token. */
    const askWith = (token: string, requestLine: string, body?: string) =>
      askPort(requestLine, ["Host: localhost", `Authorization: Bearer ${token}`], body)
    /** Asks on the socket. */
    const askSocket = (requestLine: string, body?: string, fields: ReadonlyArray<string> = []) =>
      Effect.scoped(
        Effect.flatMap(RawClient.connectToPath(adminSocket), (client) =>
          client.ask(withBody(requestLine, ["Host: admin", ...fields], body)),
        ),
      )
    /** The JSON value of a GET on the socket. */
    const get = (target: string) => Effect.map(askSocket(`GET ${target}`), jsonOf)
    return { ...lab, adminPort, adminSocket, askPort, askWith, askSocket, get }
  })
