import { isIP } from "node:net"
import type { ProxySettings } from "../domain/ProxyConfig.js"

/** The bytes of an address: 4 or 16. */
type AddressBytes = ReadonlyArray<number>

/** A CIDR block: the addresses whose first `prefix` bits are those of `bytes`. */
interface Block {
  readonly bytes: AddressBytes
  readonly prefix: number
}

/** A block, and whether its addresses may be reached. `why` completes the sentence "BLOCK is …". */
interface Rule extends Block {
  readonly text: string
  readonly permits: boolean
  readonly why: string
}

/** What no session's server has for an address, so that a session which names it is a mistake or an attack. */
const deniedByDefault: ReadonlyArray<readonly [block: string, why: string]> = [
  ["0.0.0.0/8", "unspecified"],
  ["169.254.0.0/16", "link-local"],
  ["169.254.169.254/32", "cloud metadata"],
  ["100.100.100.200/32", "cloud metadata"],
  ["168.63.129.16/32", "cloud metadata"],
  ["224.0.0.0/4", "multicast"],
  ["255.255.255.255/32", "broadcast"],
  ["::/128", "unspecified"],
  ["fe80::/10", "link-local"],
  ["fd00:ec2::254/128", "cloud metadata"],
  ["fd20:ce::254/128", "cloud metadata"],
  ["ff00::/8", "multicast"],
]

/** Where IPv6 addresses hold an IPv4 address, and at which byte of them it begins. */
const translations: ReadonlyArray<readonly [block: Block, at: number]> = [
  // ::ffff:0:a.b.c.d (RFC 2765)
  [{ bytes: [0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0], prefix: 96 }, 12],
  // NAT64 (RFC 6052), and its block for local use (RFC 8215) as it is divided where the prefix has 96 bits
  [{ bytes: [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0], prefix: 96 }, 12],
  [{ bytes: [0, 0x64, 0xff, 0x9b, 0, 1], prefix: 48 }, 12],
  // 6to4 (RFC 3056)
  [{ bytes: [0x20, 0x02], prefix: 16 }, 2],
  // ::a.b.c.d (RFC 4291 section 2.5.5.1), but for ::0.0.x.y, where the unspecified and the loopback address are
  [{ bytes: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], prefix: 96 }, 12],
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

/** The bytes of an address as it is written, without the zone. */
const writtenBytes = (text: string): AddressBytes | undefined => {
  const family = isIP(text)
  if (family === 0) return undefined
  return family === 4 ? ipv4Bytes(text) : ipv6Bytes(text.replace(/%.*$/, ""))
}

/** A block of IPv4-mapped addresses (RFC 4291 section 2.5.5.2) is a spelling of a block of IPv4 addresses. */
const unmapped = (block: Block): Block =>
  block.bytes.length === 16 && block.prefix >= mapped.prefix && holds(mapped, block.bytes)
    ? { bytes: block.bytes.slice(12), prefix: block.prefix - mapped.prefix }
    : block

/**
 * The bytes of an address as text: 4 of an IPv4 address, IPv4-mapped ones among them, 16 of an IPv6 address; `undefined`
 * for any other text.
 */
export const addressBytes = (text: string): AddressBytes | undefined => {
  const bytes = writtenBytes(text)
  return bytes === undefined ? undefined : unmapped({ bytes, prefix: bytes.length * 8 }).bytes
}

/** The IPv4 address that a packet for an IPv6 address may be brought to by a translator on its way. */
const translated = (address: AddressBytes): AddressBytes | undefined => {
  if (address.length === 4) return undefined
  const [, at] = translations.find(([block]) => holds(block, address)) ?? []
  if (at === undefined) return undefined
  const inner = address.slice(at, at + 4)
  return inner[0] === 0 && inner[1] === 0 ? undefined : inner
}

/** A CIDR block or a single address; `undefined` where the text is neither. */
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

/** Why an address may not be reached. */
export interface Denial {
  readonly address: string
  /** A phrase that names the address and the block that it is in. */
  readonly problem: string
}

/**
 * Decides which addresses may be connected to. The smallest block that holds an address decides; where two lists have
 * it, `denyDownstream` goes before `allowDownstream`, and that before what is denied by default. What no block holds may
 * be reached. An IPv6 address that a translator brings to an IPv4 address must be permitted as both.
 */
export class AddressGuard {
  private readonly rules: ReadonlyArray<Rule>

  /** Throws a `RangeError` for a text in the settings that is no block. */
  constructor({ allowDownstream, denyDownstream }: Pick<ProxySettings, "allowDownstream" | "denyDownstream">) {
    this.rules = [
      ...denyDownstream.map((block) => rule(block, false, "denied by the settings")),
      ...allowDownstream.map((block) => rule(block, true, "allowed by the settings")),
      ...deniedByDefault.map(([block, why]) => rule(block, false, why)),
    ].sort((one, other) => other.prefix - one.prefix)
  }

  /** Why an address may not be reached, if it may not. A text that is no IP address may not. */
  denialOf(address: string): Denial | undefined {
    const bytes = addressBytes(address)
    if (bytes === undefined) return { address, problem: `${JSON.stringify(address)} is no IP address` }
    const inner = translated(bytes)
    const rule = this.denying(bytes) ?? (inner === undefined ? undefined : this.denying(inner))
    return rule === undefined
      ? undefined
      : { address, problem: `${address} may not be reached: ${rule.text} is ${rule.why}` }
  }

  private denying(address: AddressBytes): Rule | undefined {
    const found = this.rules.find((rule) => rule.bytes.length === address.length && holds(rule, address))
    return found === undefined || found.permits ? undefined : found
  }
}
