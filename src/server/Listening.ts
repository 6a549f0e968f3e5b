import type { AddressInfo, Server } from "node:net"
import { Data, Effect } from "effect"

/** The proxy cannot listen where it was told to. */
export class ListenError extends Data.TaggedError("ListenError")<{
  readonly host: string
  readonly port: number
  /** What is wrong, as a phrase. */
  readonly reason: string
  /** What to do about it. */
  readonly hint: string
}> {
  override get message(): string {
    return `cannot listen on ${this.host}:${this.port}: ${this.reason}; ${this.hint}`
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
  const code = "code" in cause && typeof cause.code === "string" ? cause.code : ""
  const [reason, hint] = problemOf(code, place) ?? [cause.message, `check ${flags.host} and ${flags.port}`]
  return new ListenError({ host, port, reason, hint })
}

/** Begins to listen. `backlog`: how many connections may wait to be accepted. Gives the real address. */
export const listen = (server: Server, place: Place, backlog: number): Effect.Effect<AddressInfo, ListenError> =>
  Effect.async((resume) => {
    const { host, port } = place
    const failed = (cause: Error) => resume(Effect.fail(listenError(place, cause)))
    server.once("error", failed)
    server.listen({ host, port, backlog }, () => {
      server.removeListener("error", failed)
      const address = server.address()
      if (address !== null && typeof address === "object") resume(Effect.succeed(address))
    })
  })
