import { networkInterfaces, type NetworkInterfaceInfo } from "node:os"
import { addressBytes } from "./AddressGuard.js"

/** How long the list of this machine's addresses is cached, in milliseconds: reading it takes several system calls. */
const longestAge = 1_000

/** The bytes of an address as text, so that equal addresses have equal texts; `""` if it is not an address. */
export const canonical = (address: string): string => addressBytes(address)?.join(".") ?? ""

/** Whether a canonical address is IPv4 (or IPv4-mapped). */
export const isIpv4 = (address: string): boolean => address.split(".").length === 4

const ipv6Loopback = canonical("::1")

const isLoopback = (address: string): boolean =>
  address === ipv6Loopback || (isIpv4(address) && address.startsWith("127."))

const isLinkLocal = (address: string): boolean => !isIpv4(address) && address.startsWith("254.128.")

let cached: ReadonlySet<string> = new Set()
let readAt = Number.NEGATIVE_INFINITY

const interfaces = (): ReadonlyArray<NetworkInterfaceInfo> => {
  try {
    return Object.values(networkInterfaces()).flatMap((found) => found ?? [])
  } catch {
    // libuv needs a socket for this, and the process may have no free descriptor.
    return []
  }
}

const machineAddresses = (): ReadonlySet<string> => {
  const now = performance.now()
  if (now - readAt < longestAge) return cached
  readAt = now
  const found = interfaces()
  if (found.length > 0) cached = new Set(found.map(({ address }) => canonical(address)))
  return cached
}

/** Whether a canonical address belongs to this machine. */
export const isOfMachine = (address: string): boolean =>
  (isIpv4(address) && isLoopback(address)) || machineAddresses().has(address)

/** Whether this machine has a source address for connections to `address`. */
export const hasSourceFor = (address: string): boolean => {
  const wanted = canonical(address)
  if (wanted === "") return false
  return [...machineAddresses()].some(
    (own) => isIpv4(own) === isIpv4(wanted) && isLoopback(own) === isLoopback(wanted) && !isLinkLocal(own),
  )
}
