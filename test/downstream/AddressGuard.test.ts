import { assert, describe, it } from "@effect/vitest"
import { Either, FastCheck } from "effect"
import { BlockList } from "node:net"
import { AddressGuard, addressBytes } from "../../src/downstream/AddressGuard.js"
import { parseDownstreamUrl } from "../../src/wire/DownstreamUrl.js"

const guard = (denyDownstream: ReadonlyArray<string> = [], allowDownstream: ReadonlyArray<string> = []) =>
  new AddressGuard({ denyDownstream, allowDownstream })

const permits = (by: AddressGuard, address: string): boolean => by.denialOf(address) === undefined

/** The host of a stored URL, as it is dialled. */
const hostOf = (url: string): string => Either.getOrThrow(parseDownstreamUrl(url)).hostname

const byte = FastCheck.nat(255)
const ipv4 = FastCheck.tuple(byte, byte, byte, byte)

const hex = (bytes: ReadonlyArray<number>): string =>
  Buffer.from(bytes)
    .toString("hex")
    .replace(/^(....)/, "$1:")

/** Whether the first bits of two addresses are the same, counted one by one. */
const shareBits = (one: ReadonlyArray<number>, other: ReadonlyArray<number>, bits: number): boolean => {
  const text = (bytes: ReadonlyArray<number>) => bytes.map((byte) => byte.toString(2).padStart(8, "0")).join("")
  return text(one).slice(0, bits) === text(other).slice(0, bits)
}

describe("an address", () => {
  it("is read from all that node writes", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.ipV4(), (text) => {
        assert.deepStrictEqual(addressBytes(text), text.split(".").map(Number))
      }),
    )
  })

  it("has the same bytes however many of its zeros are left out", () => {
    const groups = FastCheck.array(FastCheck.oneof(FastCheck.constant(0), FastCheck.nat(0xffff)), {
      minLength: 8,
      maxLength: 8,
    }).filter((groups) => groups.slice(0, 5).some((group) => group !== 0))
    FastCheck.assert(
      FastCheck.property(groups, (groups) => {
        const bytes = groups.flatMap((group) => [group >> 8, group & 0xff])
        const long = groups.map((group) => group.toString(16)).join(":")
        const short = new URL(`http://[${long}]`).hostname.slice(1, -1)
        const dotted = [...groups.slice(0, 6).map((group) => group.toString(16)), bytes.slice(12).join(".")].join(":")
        for (const text of [long, short, dotted, long.toUpperCase(), `${short}%eth0`])
          assert.deepStrictEqual(addressBytes(text), bytes, text)
      }),
    )
  })

  it("that is mapped to IPv6 is the IPv4 address", () => {
    FastCheck.assert(
      FastCheck.property(ipv4, (bytes) => {
        for (const text of [`::ffff:${bytes.join(".")}`, `::FFFF:${hex(bytes)}`, `0:0:0:0:0:ffff:${hex(bytes)}`])
          assert.deepStrictEqual(addressBytes(text), bytes, text)
      }),
    )
  })

  for (const text of ["", "localhost", "1.2.3", "256.1.1.1", "::1::", "[::1]", "0x7f.1", "1.2.3.4/32", " 1.2.3.4"])
    it(`is not "${text}", which may not be reached`, () => {
      assert.isUndefined(addressBytes(text))
      assert.isFalse(permits(guard(), text))
    })
})

describe("a block", () => {
  it("holds the addresses that begin with its bits, and no others", () => {
    // Within 11.0.0.0/8, where nothing is denied by default.
    const inside = ipv4.map(([, ...rest]) => [11, ...rest])
    FastCheck.assert(
      FastCheck.property(inside, inside, FastCheck.integer({ min: 8, max: 32 }), (block, address, prefix) => {
        const by = guard([`${block.join(".")}/${prefix}`])
        // Most of the block's own bytes, so that near misses come up.
        const near = address.map((byte, index) => (index * 8 < prefix - 8 ? (block[index] ?? 0) : byte))
        assert.strictEqual(permits(by, near.join(".")), !shareBits(block, near, prefix))
        assert.isFalse(permits(by, block.join(".")))
      }),
    )
  })

  it("of IPv6 holds the addresses that begin with its bits, and no others", () => {
    const bytes = FastCheck.array(FastCheck.nat(255), { minLength: 15, maxLength: 15 }).map((rest) => [0x2a, ...rest])
    const text = (bytes: ReadonlyArray<number>) =>
      Buffer.from(bytes)
        .toString("hex")
        .replace(/(....)(?=.)/g, "$1:")
    FastCheck.assert(
      FastCheck.property(bytes, FastCheck.integer({ min: 9, max: 128 }), FastCheck.nat(127), (block, prefix, bit) => {
        const flipped = block.map((byte, index) => (index === bit >> 3 ? byte ^ (0x80 >> (bit & 7)) : byte))
        const by = guard([`${text(block)}/${prefix}`])
        assert.isFalse(permits(by, text(block)))
        assert.strictEqual(permits(by, text(flipped)), bit < prefix)
      }),
    )
  })

  for (const text of [
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/",
    "::/129",
    "10.0.0.0/8/8",
    "example.com",
    "10.0.0.0/0x8",
  ])
    it(`cannot be ${text}`, () => {
      assert.throws(() => guard([text]), RangeError, text)
      assert.throws(() => guard([], [text]), RangeError, text)
    })
})

/** Where the digits of an IPv6 address hold those of an IPv4 address. */
const readings: ReadonlyArray<RegExp> = [
  /^0{20}ffff(.{8})$/,
  /^0{24}(.{8})$/,
  /^0{16}ffff0000(.{8})$/,
  /^0064ff9b0{16}(.{8})$/,
  /^0064ff9b0001.{12}(.{8})$/,
  /^0064ff9b0001.{6}(.{8}).{6}$/,
  /^0064ff9b0001..(..)..(.{6}).{8}$/,
  /^0064ff9b0001(.{4})..(.{4}).{10}$/,
  /^2002(.{8})/,
  /^20010000(.{8})/,
  /^.{16}0[02]005efe(.{8})$/,
]

const teredoClient = /^20010000.{16}(.{8})$/

const inverted = (digits: string): string => (0xffff_ffff - Number.parseInt(digits, 16)).toString(16).padStart(8, "0")

/** The IPv4 addresses in the digits of an IPv6 address, as digits too. */
const ipv4Digits = (digits: string): ReadonlyArray<string> => [
  ...readings.flatMap((reading) => reading.exec(digits)?.slice(1).join("") ?? []),
  ...(teredoClient.exec(digits)?.slice(1).map(inverted) ?? []),
]

const denied4 = new BlockList()
denied4.addSubnet("10.0.0.0", 8)
denied4.addSubnet("169.254.0.0", 16)
denied4.addSubnet("224.0.0.0", 4)
denied4.addAddress("255.255.255.255")

const denied6 = new BlockList()
denied6.addSubnet("fe80::", 10, "ipv6")
denied6.addSubnet("ff00::", 8, "ipv6")
denied6.addAddress("::", "ipv6")

/** Every metadata service that is known, as their clouds document them. */
const metadata4 = [
  "169.254.169.254",
  "169.254.170.2",
  "169.254.170.23",
  "169.254.0.23",
  "169.254.10.10",
  "169.254.42.42",
  "100.100.100.200",
  "168.63.129.16",
  "192.0.0.192",
]
const metadata6 = [
  "fd00:ec2::254",
  "fd00:ec2::23",
  "fd20:ce::254",
  "fd00:c1::a9fe:a9fe",
  "fd00:42::42",
  "fd00:a9fe:a9fe::1",
  "fd00:100::100:200",
  "fe80::a9fe:a9fe",
]
for (const address of metadata4) denied4.addAddress(address)
for (const address of metadata6) denied6.addAddress(address, "ipv6")

const isDeniedByDigits = (digits: string, text: string): boolean => {
  const inner = ipv4Digits(digits).map((found) => [...Buffer.from(found, "hex")].join("."))
  const isMapped = /^0{20}ffff/.test(digits)
  if (isMapped && inner[0]?.startsWith("0.") === true) return true
  return (!isMapped && denied6.check(text, "ipv6")) || inner.some((address) => denied4.check(address))
}

/** The 32 digits of an address: any, or one that holds an IPv4 address, most often one that is denied. */
const anIpv6Address: FastCheck.Arbitrary<string> = FastCheck.tuple(
  FastCheck.hexaString({ minLength: 32, maxLength: 32 }),
  FastCheck.oneof(
    FastCheck.hexaString({ minLength: 8, maxLength: 8 }),
    FastCheck.constantFrom("0a010203", "a9fea9fe", "646464c8", "e0000001", "7f000001", "00000001", "ffffffff"),
  ),
  FastCheck.constantFrom<(any: string, four: string) => string>(
    (any) => any,
    (_, four) => `${"0".repeat(20)}ffff${four}`,
    (_, four) => "0".repeat(24) + four,
    (_, four) => `${"0".repeat(16)}ffff0000${four}`,
    (_, four) => `0064ff9b${"0".repeat(16)}${four}`,
    (any, four) => `0064ff9b0001${any.slice(0, 12)}${four}`,
    (any, four) => `0064ff9b0001${any.slice(0, 6)}${four}${any.slice(0, 6)}`,
    (any, four) => `0064ff9b0001${any.slice(0, 2)}${four.slice(0, 2)}00${four.slice(2)}${any.slice(0, 8)}`,
    (any, four) => `0064ff9b0001${four.slice(0, 4)}00${four.slice(4)}${any.slice(0, 10)}`,
    (any, four) => `2002${four}${any.slice(0, 20)}`,
    (any, four) => `20010000${four}${any.slice(0, 16)}`,
    (any, four) => `20010000${any.slice(0, 16)}${inverted(four)}`,
    (any, four) => `${any.slice(0, 16)}00005efe${four}`,
    (any, four) => `${any.slice(0, 16)}02005efe${four}`,
  ),
).map(([any, four, form]) => form(any, four))

describe("the guard", () => {
  const denied: ReadonlyArray<readonly [what: string, addresses: ReadonlyArray<string>]> = [
    ["link-local", ["169.254.0.1", "169.254.255.255", "fe80::1", "fe80::1%eth0", "febf:ffff::1"]],
    ["cloud metadata", [...metadata4, ...metadata6, "FD00:0EC2:0:0:0:0:0:23", "fe80::a9fe:a9fe%eth0"]],
    ["unspecified", ["0.0.0.0", "0.1.2.3", "::", "0:0:0:0:0:0:0:0"]],
    ["multicast", ["224.0.0.1", "239.255.255.255", "ff02::1"]],
    ["broadcast", ["255.255.255.255"]],
  ]
  for (const [what, addresses] of denied)
    it(`denies ${what} addresses by default, and says what they are`, () => {
      for (const address of addresses) {
        const denial = guard().denialOf(address)
        assert.include(denial?.problem, what, address)
        assert.include(denial?.problem, address)
      }
    })

  it("denies cloud metadata in each network that is allowed, unless it is named itself", () => {
    const allowing = guard([], ["0.0.0.0/0", "::/0", "169.254.0.0/16", "fe80::/10", "fd00::/8", "fd00:ec2::/32"])
    for (const address of [...metadata4, ...metadata6]) {
      assert.isFalse(permits(allowing, address), address)
      assert.isTrue(permits(guard([], [address]), address), address)
    }
    for (const address of ["169.254.170.3", "fd00:ec2::253", "fe80::1"])
      assert.isTrue(permits(allowing, address), address)
    for (const address of metadata4) {
      assert.isFalse(permits(allowing, `::ffff:${address}`), address)
      assert.isFalse(permits(allowing, `64:ff9b::${address}`), address)
    }
  })

  it("permits loopback, private and public addresses by default", () => {
    for (const address of [
      "127.0.0.1",
      "10.0.0.1",
      "172.16.0.1",
      "192.168.1.1",
      "100.64.0.1",
      "93.184.216.34",
      "1.0.0.0",
    ])
      assert.isTrue(permits(guard(), address), address)
    for (const address of [
      "::1",
      "fd00::1",
      "fc00::1",
      "2001:db8::1",
      "::ffff:127.0.0.1",
      "64:ff9b::1.1.1.1",
      "fe00::1",
    ])
      assert.isTrue(permits(guard(), address), address)
  })

  it("takes IPv6 addresses for the IPv4 addresses that they lead to", () => {
    for (const address of [
      "::ffff:169.254.169.254",
      "::ffff:a9fe:a9fe",
      "0:0:0:0:0:FFFF:A9FE:A9FE",
      "::ffff:0:169.254.169.254",
      "64:ff9b::169.254.169.254",
      "64:ff9b::a9fe:a9fe",
      "64:ff9b:1::169.254.169.254",
      "64:ff9b:1:a9fe:a9:fe00::",
      "64:ff9b:1:7a9:fe:a9fe::",
      "64:ff9b:1:777:a9:fea9:fe00:0",
      "2002:a9fe:a9fe::1",
      "2001:0:a9fe:a9fe::",
      "2001:0:4136:e378:8000:63bf:5601:5601",
      "2001:db8::5efe:169.254.169.254",
      "2001:db8::200:5efe:a9fe:a9fe",
      "::169.254.169.254",
    ])
      assert.isFalse(permits(guard(), address), address)
  })

  it("does not take for one what only looks like it", () => {
    for (const address of [
      "::1",
      "2001:1:a9fe:a9fe::",
      "2001:0:4136:e378:8000:63bf:a9fe:a9fe",
      "2001:db8::100:5efe:a9fe:a9fe",
      "2001:db8::5eff:a9fe:a9fe",
      "64:ff9b:2::a9fe:a9fe",
      "64:ff9b:1:1::10.0.0.1",
      "2003:a9fe:a9fe::1",
      "::1:0:a9fe:a9fe",
    ])
      assert.isTrue(permits(guard(), address), address)
  })

  it("agrees on every IPv6 address with another reading of it, by its digits and node's own lists", () => {
    const by = guard(["10.0.0.0/8"])
    FastCheck.assert(
      FastCheck.property(anIpv6Address, (digits) => {
        const text = digits.replace(/(....)(?=.)/g, "$1:")
        assert.strictEqual(permits(by, text), !isDeniedByDigits(digits, text), text)
      }),
      { numRuns: 5_000 },
    )
  })

  it("is not misled by how a URL spells an address", () => {
    for (const url of [
      "http://2852039166/",
      "http://0xa9fea9fe/",
      "http://0xa9.254.0xa9.254",
      "http://0251.0376.0251.0376",
      "169.254.43518",
      "http://169.254.169.254./",
      "http://[::ffff:169.254.169.254]/",
      "http://\uff11\uff16\uff19.254.169.254/",
      "http://0/",
    ])
      assert.isFalse(permits(guard(), hostOf(url)), url)
    for (const url of ["http://0x7f.1/", "http://017700000001", "http://127.1"])
      assert.isFalse(permits(guard(["127.0.0.0/8"]), hostOf(url)), url)
  })

  it("denies what it is told to", () => {
    const by = guard(["10.0.0.0/8", "192.168.1.7", "fd00::/8", "::1"])
    for (const address of ["10.1.2.3", "192.168.1.7", "fd12::1", "::1", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3"])
      assert.isFalse(permits(by, address), address)
    for (const address of ["11.0.0.1", "192.168.1.8", "fe00::1", "127.0.0.1"])
      assert.isTrue(permits(by, address), address)
  })

  it("lets the smaller block decide, whichever list it is in", () => {
    const only = guard(["0.0.0.0/0", "::/0"], ["10.0.0.0/8", "fd00::/8"])
    for (const address of ["10.1.2.3", "fd00::1", "::ffff:10.1.2.3"]) assert.isTrue(permits(only, address), address)
    for (const address of ["127.0.0.1", "::1", "fd00:ec2::254"]) assert.isFalse(permits(only, address), address)
    const nested = guard(["10.0.0.0/8", "10.1.1.0/24"], ["10.1.0.0/16"])
    assert.deepStrictEqual(
      ["10.2.0.1", "10.1.0.1", "10.1.1.1"].map((address) => permits(nested, address)),
      [false, true, false],
    )
  })

  it("denies what both lists hold", () => {
    assert.isFalse(permits(guard(["10.0.0.0/8"], ["10.0.0.0/8"]), "10.0.0.1"))
  })

  it("permits link-local addresses where they are allowed, but cloud metadata only where it is named itself", () => {
    const local = guard([], ["169.254.0.0/16", "0.0.0.0/0"])
    assert.isTrue(permits(local, "169.254.10.5"))
    assert.isFalse(permits(local, "169.254.169.254"))
    assert.isFalse(permits(local, "224.0.0.1"))
    assert.isTrue(permits(guard([], ["169.254.169.254"]), "169.254.169.254"))
  })

  it("takes a block of mapped addresses for one of IPv4, and blocks of IPv6 for nothing else", () => {
    assert.isFalse(permits(guard(["::ffff:10.0.0.0/104"]), "10.0.0.1"))
    assert.isTrue(permits(guard(["::/0"]), "10.0.0.1"))
    assert.isTrue(permits(guard(["::/0"]), "::ffff:10.0.0.1"))
    assert.isFalse(permits(guard(["64:ff9b::/96"]), "64:ff9b::10.0.0.1"))
  })
})
