import type { AddressInfo, Server } from "node:net"
import { Context, Data, Effect } from "effect"

/** Where the proxy's listener gets its socket. */
export type ListeningSocket =
  /** It makes one, for the host and the port of the settings. */
  | { readonly _tag: "Address" }
  /** Whoever has started the process made it. `fd`: the descriptor of a TCP socket that is bound, and may listen already. */
  | { readonly _tag: "Inherited"; readonly fd: number }

/** Where the proxy's listener gets its socket, where somebody says so. */
export class ListenOn extends Context.Reference<ListenOn>()("@ss-proxy/ListenOn", {
  defaultValue: (): ListeningSocket => ({ _tag: "Address" }),
}) {}

/** The proxy cannot listen where it was told to. */
export class ListenError extends Data.TaggedError("ListenError")<{
  /** Host and port, or which socket it was given. */
  readonly where: string
  /** What is wrong, as a phrase. */
  readonly reason: string
  /** What to do about it. */
  readonly hint: string
}> {
  override get message(): string {
    return `cannot listen on ${this.where}: ${this.reason}; ${this.hint}`
  }
}

/** Where to listen, and the flags that say so. */
export interface Place {
  readonly host: string
  readonly port: number
  readonly flags: { readonly host: string; readonly port: string }
}

/** Where somebody on this machine reaches a listener. */
export const localUrl = ({ host, port }: { readonly host: string; readonly port: number }): string => {
  const isEverywhere = host === "0.0.0.0" || host === "::"
  const reached = isEverywhere ? "localhost" : host
  return `http://${reached.includes(":") ? `[${reached}]` : reached}:${port}`
}

const codeOf = (cause: Error): string => ("code" in cause && typeof cause.code === "string" ? cause.code : "")

const problemOf = (code: string, { flags }: Place): readonly [reason: string, hint: string] | undefined => {
  const otherHost = `choose another with ${flags.host}, for example 127.0.0.1`
  switch (code) {
    case "EADDRINUSE":
      return ["the port is in use", `stop the program that listens there, or choose another with ${flags.port}`]
    case "EADDRNOTAVAIL":
      return ["this machine has no such address", otherHost]
    case "EACCES":
      return ["not allowed to listen there", `choose a port above 1023 with ${flags.port}`]
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return ["the host name cannot be resolved", otherHost]
    default:
      return undefined
  }
}

const listenError = (place: Place, cause: Error): ListenError => {
  const { flags, host, port } = place
  const [reason, hint] = problemOf(codeOf(cause), place) ?? [cause.message, `check ${flags.host} and ${flags.port}`]
  return new ListenError({ where: `${host}:${port}`, reason, hint })
}

/** How whoever hands a socket over should make it. */
const madeOtherwise = "it must be a TCP socket that is bound and has no connection: ListenStream=PORT, Accept=no"

const inheritedError = (fd: number, cause: Error | undefined): ListenError => {
  const code = cause === undefined ? "" : codeOf(cause)
  const reasons: Readonly<Record<string, string>> = {
    "": "it is no TCP socket",
    ERR_INVALID_FD_TYPE: "it is no TCP socket",
    EBADF: "there is no such descriptor",
    EINVAL: "it does not listen",
  }
  const reason = reasons[code] ?? cause?.message ?? code
  return new ListenError({ where: `the socket that was passed in (descriptor ${fd})`, reason, hint: madeOtherwise })
}

/** Waits until a server listens, as `begin` tells it to. Gives the real address; that of no IP socket is an error. */
const listening = (
  server: Server,
  begin: (done: () => void) => void,
  errorOf: (cause: Error | undefined) => ListenError,
): Effect.Effect<AddressInfo, ListenError> =>
  Effect.async((resume) => {
    const failed = (cause: Error) => resume(Effect.fail(errorOf(cause)))
    server.once("error", failed)
    begin(() => {
      server.removeListener("error", failed)
      const address = server.address()
      resume(
        address !== null && typeof address === "object" ? Effect.succeed(address) : Effect.fail(errorOf(undefined)),
      )
    })
  })

/** Begins to listen. `backlog`: how many connections may wait to be accepted. Gives the real address. */
export const listen = (server: Server, place: Place, backlog: number): Effect.Effect<AddressInfo, ListenError> => {
  const { host, port } = place
  return listening(
    server,
    (done) => server.listen({ host, port, backlog }, done),
    (cause) => listenError(place, cause ?? new Error("it has no address")),
  )
}

/** The same on a socket that is there already. */
export const listenOnInherited = (
  server: Server,
  fd: number,
  backlog: number,
): Effect.Effect<AddressInfo, ListenError> =>
  listening(
    server,
    (done) => server.listen({ fd, backlog }, done),
    (cause) => inheritedError(fd, cause),
  )
