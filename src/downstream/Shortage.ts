import { closeSync, openSync } from "node:fs"
import { devNull } from "node:os"
import type { Shortage } from "../domain/ProxyError.js"
import { hasSourceFor } from "./MachineAddresses.js"

/** What the system has no more of, and what an operator can do about it. */
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

/** The code of an error of the system, and the address that it is about; `""` where it tells none. */
const factsOf = (error: unknown): { readonly code: string; readonly address: string } => {
  if (!(error instanceof Error)) return { code: "", address: "" }
  const code = "code" in error && typeof error.code === "string" ? error.code : ""
  const address = "address" in error && typeof error.address === "string" ? error.address : ""
  return { code, address }
}

/** What fails where a name is looked up: without files, its resolver says that there is no such name. */
const isLookup = (error: unknown): boolean =>
  error instanceof Error && "syscall" in error && error.syscall === "getaddrinfo"

/** Whether a file can be opened at this moment. */
const openFiles = (): ShortageFound | undefined => {
  try {
    closeSync(openSync(devNull, "r"))
    return undefined
  } catch (error) {
    return shortages.get(factsOf(error).code)
  }
}

/**
 * What the system lacks, where that is why a connection could not be made. That no port is left has the same code as
 * that this machine has no address to connect from, which is no shortage.
 */
export const shortageOf = (error: unknown): ShortageFound | undefined => {
  const { code, address } = factsOf(error)
  if (code === "EADDRNOTAVAIL") return hasSourceFor(address) ? ports : undefined
  return shortages.get(code) ?? (isLookup(error) ? openFiles() : undefined)
}
