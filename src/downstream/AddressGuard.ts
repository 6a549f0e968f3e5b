import { isIP } from "node:net"
import type { ProxySettings } from "../domain/ProxyConfig.js"

/** The bytes of an address: 4 or 16. */
type AddressBytes = ReadonlyArray<number>

/** A CIDR block: the addresses whose first `prefix` bits are those of `bytes`. */
interface Block {
  readonly bytes: AddressBytes
  readonly prefix: number
}

/** Permits or denies the addresses of a block. `why` completes the sentence "BLOCK is …". */
interface Rule extends Block {
  readonly text: string
  readonly permits: boolean
  readonly why: string
}

/** Metadata services of clouds, which give a machine its credentials. */
const metadataServices: ReadonlyArray<string> = [
  // Most clouds; OpenStack's by IPv6; EC2's.
  "169.254.169.254",
  "fe80::a9fe:a9fe",
  "fd00:ec2::254",
  // Credentials of containers: ECS, EKS.
  "169.254.170.2",
  "169.254.170.23",
  "fd00:ec2::23",
  // Azure, Google, Oracle (also its older cloud), Alibaba, Tencent, Scaleway, Akamai.
  "168.63.129.16",
  "fd20:ce::254",
  "fd00:c1::a9fe:a9fe",
  "192.0.0.192",
  "100.100.100.200",
  "fd00:100::100:200",
  "169.254.0.23",
  "169.254.10.10",
  "169.254.42.42",
  "fd00:42::42",
  "fd00:a9fe:a9fe::1",
]

/** Addresses that no server of a session has. A session that names one is a mistake or an attack. */
const deniedByDefault: ReadonlyArray<readonly [block: string, why: string]> = [
  ...metadataServices.map((address) => [`${address}/${isIP(address) === 4 ? 32 : 128}`, "cloud metadata"] as const),
  ["0.0.0.0/8", "unspecified"],
  ["169.254.0.0/16", "link-local"],
  ["224.0.0.0/4", "multicast"],
  ["255.255.255.255/32", "broadcast"],
  ["::/128", "unspecified"],
  ["fe80::/10", "link-local"],
  ["ff00::/8", "multicast"],
]

/** A block of IPv6 addresses that embed an IPv4 address. `at`: the indexes of its bytes. */
interface Translation extends Block {
  readonly at: readonly [number, number, number, number]
  /** The bits of the IPv4 address are inverted. */
  readonly inverted?: true
}

const lastFour = [12, 13, 14, 15] as const

/** Local-use NAT64 block (RFC 8215). */
const localNat64: Block = { bytes: [0, 0x64, 0xff, 0x9b, 0, 1], prefix: 48 }

/** Several may apply to one address, because only the network knows which of them it uses. */
const translations: ReadonlyArray<Translation> = [
  // ::ffff:0:a.b.c.d (RFC 2765)
  { bytes: [0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0], prefix: 96, at: lastFour },
  // NAT64 (RFC 6052), and its local-use block with each possible prefix length
  { bytes: [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0], prefix: 96, at: lastFour },
  { ...localNat64, at: lastFour },
  { ...localNat64, at: [9, 10, 11, 12] },
  { ...localNat64, at: [7, 9, 10, 11] },
  { ...localNat64, at: [6, 7, 9, 10] },
  // 6to4 (RFC 3056)
  { bytes: [0x20, 0x02], prefix: 16, at: [2, 3, 4, 5] },
  // Teredo (RFC 4380): the server, which is contacted first, and the client
  { bytes: [0x20, 0x01, 0, 0], prefix: 32, at: [4, 5, 6, 7] },
  { bytes: [0x20, 0x01, 0, 0], prefix: 32, at: lastFour, inverted: true },
  // ::a.b.c.d (RFC 4291 section 2.5.5.1)
  { bytes: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], prefix: 96, at: lastFour },
]

/** First bytes of the interface identifier of an ISATAP address, in any network (RFC 5214 section 6.1). */
const isatap: ReadonlyArray<AddressBytes> = [
  [0, 0, 0x5e, 0xfe],
  [0x02, 0, 0x5e, 0xfe],
]

const mapped: Block = { bytes: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff], prefix: 96 }

const holds = ({ bytes, prefix }: Block, address: AddressBytes): boolean => {
  const whole = prefix >> 3
  for (let index = 0; index < whole; index++) if (bytes[index] !== address[index]) return false
  const unused = 8 - (prefix & 7)
  return unused === 8 || (bytes[whole] ?? 0) >> unused === (address[whole] ?? 0) >> unused
}

const ipv4Bytes = (text: string): AddressBytes => text.split(".").map(Number)

const groupsOf = (text: string): ReadonlyArray<string> => (text === "" ? [] : text.split(":"))

const groupBytes = (group: string): AddressBytes => {
  if (group.includes(".")) return ipv4Bytes(group)
  const value = Number.parseInt(group, 16)
  return [value >> 8, value & 0xff]
}

const ipv6Bytes = (text: string): AddressBytes => {
  const [before = "", after] = text.split("::")
  const head = groupsOf(before).flatMap(groupBytes)
  if (after === undefined) return head
  const tail = groupsOf(after).flatMap(groupBytes)
  return [...head, ...Array.from({ length: 16 - head.length - tail.length }, () => 0), ...tail]
}

/** The bytes of an address as it is written, without its zone. */
const writtenBytes = (text: string): AddressBytes | undefined => {
  const family = isIP(text)
  if (family === 0) return undefined
  return family === 4 ? ipv4Bytes(text) : ipv6Bytes(text.replace(/%.*$/, ""))
}

/** Turns a block of IPv4-mapped addresses (RFC 4291 section 2.5.5.2) into the block of IPv4 addresses that it means. */
const unmapped = (block: Block): Block =>
  block.bytes.length === 16 && block.prefix >= mapped.prefix && holds(mapped, block.bytes)
    ? { bytes: block.bytes.slice(12), prefix: block.prefix - mapped.prefix }
    : block

/**
 * Parses an IP address: 4 bytes for IPv4, also if it is IPv4-mapped, and 16 bytes for IPv6; `undefined` for any other
 * text.
 */
export const addressBytes = (text: string): AddressBytes | undefined => {
  const bytes = writtenBytes(text)
  return bytes === undefined ? undefined : unmapped({ bytes, prefix: bytes.length * 8 }).bytes
}

const isIsatap = (address: AddressBytes): boolean =>
  isatap.some((bytes) => holds({ bytes, prefix: 32 }, address.slice(8, 12)))

/**
 * The IPv4 addresses to which a translator or a tunnel on the path may deliver a packet for an IPv6 address. Leaves out
 * 0.0.0.0/8, because no host has such an address, and because `::` and `::1` embed none.
 */
const translated = (address: AddressBytes): ReadonlyArray<AddressBytes> => {
  if (address.length === 4) return []
  const ways = translations.filter((way) => holds(way, address))
  const inner = ways.map(({ at, inverted }) =>
    at.map((index) => (inverted === true ? 0xff : 0) ^ (address[index] ?? 0)),
  )
  if (isIsatap(address)) inner.push(address.slice(12))
  return inner.filter(([first]) => first !== 0)
}

/** Parses a CIDR block or a single address; `undefined` for any other text. */
const parseBlock = (text: string): Block | undefined => {
  const [address = "", prefix, ...more] = text.split("/")
  const bytes = writtenBytes(address)
  if (bytes === undefined || more.length > 0) return undefined
  const bits = bytes.length * 8
  if (prefix === undefined) return unmapped({ bytes, prefix: bits })
  if (!/^\d{1,3}$/.test(prefix) || Number(prefix) > bits) return undefined
  return unmapped({ bytes, prefix: Number(prefix) })
}

const rule = (text: string, permits: boolean, why: string): Rule => {
  const block = parseBlock(text)
  if (block === undefined) throw new RangeError(`${JSON.stringify(text)} is no CIDR block and no IP address`)
  return { ...block, text, permits, why }
}

/** An address is denied. */
export interface Denial {
  readonly address: string
  /** A phrase that names the address and the block that denies it. */
  readonly problem: string
}

/**
 * Decides to which addresses the proxy may connect. The smallest block that contains an address decides. For blocks of
 * equal size `denyDownstream` precedes `allowDownstream`, which precedes the default denials. An address in no block is
 * permitted. An IPv6 address that embeds IPv4 addresses is permitted only if all of these are permitted too.
 */
export class AddressGuard {
  private readonly rules: ReadonlyArray<Rule>

  /** Throws a `RangeError` if a text in the settings is not a block. */
  constructor({ allowDownstream, denyDownstream }: Pick<ProxySettings, "allowDownstream" | "denyDownstream">) {
    this.rules = [
      ...denyDownstream.map((block) => rule(block, false, "denied by the settings")),
      ...allowDownstream.map((block) => rule(block, true, "allowed by the settings")),
      ...deniedByDefault.map(([block, why]) => rule(block, false, why)),
    ].sort((one, other) => other.prefix - one.prefix)
  }

  /** Why the address is denied; `undefined` if it is permitted. A text that is not an IP address is denied. */
  denialOf(address: string): Denial | undefined {
    const bytes = addressBytes(address)
    if (bytes === undefined) return { address, problem: `${JSON.stringify(address)} is no IP address` }
    const rule = [bytes, ...translated(bytes)].map((each) => this.denying(each)).find((rule) => rule !== undefined)
    return rule === undefined
      ? undefined
      : { address, problem: `${address} may not be reached: ${rule.text} is ${rule.why}` }
  }

  private denying(address: AddressBytes): Rule | undefined {
    const found = this.rules.find((rule) => rule.bytes.length === address.length && holds(rule, address))
    return found === undefined || found.permits ? undefined : found
  }
}
