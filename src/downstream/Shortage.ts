import { closeSync, openSync } from "node:fs"
import { devNull } from "node:os"
import type { Shortage } from "../domain/ProxyError.js"
import { hasSourceFor } from "./MachineAddresses.js"

/** A resource that the system has run out of, and what an operator can do about it. */
export interface ShortageFound {
  readonly lacking: Shortage
  readonly hint: string
}

const files: ShortageFound = {
  lacking: "files",
  hint: "the proxy has as many files and connections open as it may: raise the limit (ulimit -n, LimitNOFILE= of systemd)",
}
const memory: ShortageFound = {
  lacking: "memory",
  hint: "the kernel has no memory for another connection: see net.ipv4.tcp_mem and the memory of the machine",
}

const shortages: ReadonlyMap<string, ShortageFound> = new Map([
  ["EMFILE", files],
  ["ENFILE", { lacking: "files", hint: "this machine has as many files open as it may: raise fs.file-max" }],
  ["ENOBUFS", memory],
  ["ENOMEM", memory],
])

const ports: ShortageFound = {
  lacking: "ports",
  hint:
    "every port for connections from this machine to that server is taken: widen net.ipv4.ip_local_port_range, " +
    "or let the server keep connections open, so that they are used again",
}

/** The code of a system error, and the address in it; `""` if it has none. */
const factsOf = (error: unknown): { readonly code: string; readonly address: string } => {
  if (!(error instanceof Error)) return { code: "", address: "" }
  const code = "code" in error && typeof error.code === "string" ? error.code : ""
  const address = "address" in error && typeof error.address === "string" ? error.address : ""
  return { code, address }
}

/** Whether a look-up failed. Without free descriptors, the resolver reports that the name does not exist. */
const isLookup = (error: unknown): boolean =>
  error instanceof Error && "syscall" in error && error.syscall === "getaddrinfo"

/** The shortage that keeps this process from opening a file now, if there is one. */
const fileShortage = (): ShortageFound | undefined => {
  try {
    closeSync(openSync(devNull, "r"))
    return undefined
  } catch (error) {
    return shortages.get(factsOf(error).code)
  }
}

/**
 * The shortage that made a connection fail, if there is one. EADDRNOTAVAIL means either that all local ports are in
 * use, or that this machine has no source address for the connection, which is not a shortage.
 */
export const shortageOf = (error: unknown): ShortageFound | undefined => {
  const { code, address } = factsOf(error)
  if (code === "EADDRNOTAVAIL") return hasSourceFor(address) ? ports : undefined
  return shortages.get(code) ?? (isLookup(error) ? fileShortage() : undefined)
}
