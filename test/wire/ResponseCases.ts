import type { Random } from "../support/Random.js"

/** What a server sends for one request: a response by the rules, or one that was spoiled. */
export interface Case {
  readonly method: string
  readonly bytes: Buffer
  /** Where the bytes are cut, ascending. */
  readonly cuts: ReadonlyArray<number>
}

const trailerNames = ["X-A", "x-b", "!#$%&'*+-.^_`|~", "Date", "Vary", "__proto__"] as const
/** Names of fields; the last ones must not be in trailers, where we drop them and node does not. */
const fieldNames = [...trailerNames, "Set-Cookie", "Keep-Alive"] as const

const fieldLines = (
  random: Random,
  most: number,
  names: readonly [string, ...Array<string>] = [...fieldNames],
): Array<string> =>
  Array.from({ length: random.below(most + 1) }, () => {
    const value = random.pick(["", "a", "b c", "a=b; Path=/", '"q\\"', "caf\xe9 \x80\xff", "x\ty", "timeout=5, max=9"])
    const space = random.pick(["", " ", " ", " ", "\t", " \t "])
    return `${random.pick(names)}:${space}${value}${random.chance(0.2) ? space : ""}`
  })

const bodyText = (random: Random): string => {
  const size = random.pick([0, 1, 5, 40, 700])
  let text = ""
  while (text.length < size) text += String.fromCharCode(random.below(256))
  return text
}

const chunkedText = (random: Random, body: string): string => {
  let text = ""
  for (let at = 0; at < body.length;) {
    const data = body.slice(at, at + 1 + random.below(200))
    const size = random.pick([
      data.length.toString(16),
      data.length.toString(16).toUpperCase(),
      `0${data.length.toString(16)}`,
    ])
    text += `${size}${random.pick(["", "", "", ";a", ";a=b", ';a="b c";d'])}\r\n${data}\r\n`
    at += data.length
  }
  const trailers = fieldLines(random, 2, [...trailerNames]).map((line) => `${line}\r\n`)
  return `${text}0\r\n${trailers.join("")}\r\n`
}

/** A response by the rules: any framing, interim responses before it, bytes after it now and then. */
const legalText = (random: Random): string => {
  const body = bodyText(random)
  const version = random.pick(["1.1", "1.1", "1.1", "1.0"])
  const framing = random.pick(["length", "length", "chunked", "chunked", "close", "none"])
  const lines = fieldLines(random, 5)
  if (random.chance(0.3)) lines.push(`Connection: ${random.pick(["close", "keep-alive", "Keep-Alive, x"])}`)
  let rest = body
  if (framing === "chunked" && version === "1.1") {
    lines.splice(random.below(lines.length + 1), 0, `Transfer-Encoding: ${random.pick(["chunked", "Chunked"])}`)
    rest = chunkedText(random, body)
  } else if (framing === "length") {
    lines.splice(
      random.below(lines.length + 1),
      0,
      `${random.pick(["Content-Length", "content-length"])}: ${body.length}`,
    )
  } else if (framing === "none") {
    rest = ""
  }
  const status = framing === "none" ? random.pick([204, 304]) : random.pick([200, 201, 206, 302, 404, 503])
  const interim = random.chance(0.15)
    ? random.pick(["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 X\r\nLink: <a>\r\n\r\n"])
    : ""
  const reason = random.pick([" OK", " Some Reason", " ", "", " caf\xe9"])
  const after = random.chance(0.05) ? "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" : ""
  return `${interim}HTTP/${version} ${status}${reason}\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n${rest}${after}`
}

const badLines = [
  "Content-Length: 3",
  "Content-Length: 3, 3",
  "Content-Length: +3",
  "Content-Length:",
  "Content-Length: 99999999999999999999",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: gzip, chunked",
  "Transfer-Encoding: chunked, gzip",
  "Transfer-Encoding : chunked",
  "Transfer-Encoding: identity",
  " folded",
  "\tfolded",
  "No-Colon",
  ": no name",
  "Sp ace: x",
  "Nul: a\0b",
  "Cr: a\rb",
  "Lf: a\nb",
  "",
] as const

/** One small harm: a byte changed, taken out or put in, a line said twice, or a bad line put between two lines. */
const spoil = (random: Random, text: string): string => {
  const at = random.below(random.chance(0.8) ? Math.min(text.length, 160) : text.length)
  const lineAt = text.lastIndexOf("\r\n", at) < 0 ? 0 : text.lastIndexOf("\r\n", at) + 2
  const byte = random.pick(["\r", "\n", "\0", " ", "\t", ":", ";", ",", "0", "9", "a", "\xff", "\x7f", "H"])
  switch (random.below(6)) {
    case 0:
      return text.slice(0, at) + text.slice(at + 1)
    case 1:
      return text.slice(0, at) + byte + text.slice(at)
    case 2:
      return text.slice(0, at) + byte + text.slice(at + 1)
    case 3:
      return text.slice(0, at)
    case 4:
      return `${text.slice(0, lineAt)}${text.slice(lineAt, lineAt + text.slice(lineAt).indexOf("\r\n") + 2)}${text.slice(lineAt)}`
    default: {
      const lineEnd = text.indexOf("\r\n", at)
      return lineEnd === -1
        ? text
        : `${text.slice(0, lineEnd + 2)}${random.pick(badLines)}\r\n${text.slice(lineEnd + 2)}`
    }
  }
}

/** Half of all cases are spoiled. */
export const makeCase = (random: Random): Case => {
  let text = legalText(random)
  if (random.chance(0.5)) text = spoil(random, text)
  if (random.chance(0.1)) text = spoil(random, text)
  if (random.chance(0.03)) text = text.replaceAll("\r\n", "\n")
  const cuts = Array.from({ length: random.pick([0, 0, 1, 4]) }, () => random.below(text.length + 1)).sort(
    (a, b) => a - b,
  )
  return { method: random.chance(0.1) ? "HEAD" : "GET", bytes: Buffer.from(text, "latin1"), cuts }
}
