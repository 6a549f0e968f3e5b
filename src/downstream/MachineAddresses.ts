import { networkInterfaces, type NetworkInterfaceInfo } from "node:os"
import { addressBytes } from "./AddressGuard.js"

/** How long the addresses of this machine count as known, in milliseconds: asking for them takes some system calls. */
const longestAge = 1_000

/** The bytes of an address as one text, four of IPv4 also where it is mapped to IPv6; `""` for what is no address. */
export const canonical = (address: string): string => addressBytes(address)?.join(".") ?? ""

/** Whether a canonical address is one of IPv4. */
export const isIpv4 = (address: string): boolean => address.split(".").length === 4

const ipv6Loopback = canonical("::1")

const isLoopback = (address: string): boolean =>
  address === ipv6Loopback || (isIpv4(address) && address.startsWith("127."))

const isLinkLocal = (address: string): boolean => !isIpv4(address) && address.startsWith("254.128.")

let known: ReadonlySet<string> = new Set()
let askedAt = Number.NEGATIVE_INFINITY

const interfaces = (): ReadonlyArray<NetworkInterfaceInfo> => {
  try {
    return Object.values(networkInterfaces()).flatMap((found) => found ?? [])
  } catch {
    // The kernel is asked by way of a socket, and there may be no more of them.
    return []
  }
}

const machineAddresses = (): ReadonlySet<string> => {
  const now = performance.now()
  if (now - askedAt < longestAge) return known
  askedAt = now
  const found = interfaces()
  if (found.length > 0) known = new Set(found.map(({ address }) => canonical(address)))
  return known
}

/** Whether a canonical address is one of this machine's. */
export const isOfMachine = (address: string): boolean =>
  (isIpv4(address) && isLoopback(address)) || machineAddresses().has(address)

/** Whether this machine has an address from which it could connect to that one. */
export const hasSourceFor = (address: string): boolean => {
  const wanted = canonical(address)
  if (wanted === "") return false
  return [...machineAddresses()].some(
    (own) => isIpv4(own) === isIpv4(wanted) && isLoopback(own) === isLoopback(wanted) && !isLinkLocal(own),
  )
}
