import type { Random } from "../support/Random.js"
import { bodyText, chunkedText, fieldLines, trailerNames } from "./MessageCases.js"

/** What a server sends for one request: a response by the rules, or one that was spoiled. */
export interface Case {
  readonly method: string
  readonly bytes: Buffer
  /** Where the bytes are cut, ascending. */
  readonly cuts: ReadonlyArray<number>
}

/** Names of fields; the last ones must not be in trailers, where we drop them and node does not. */
const fieldNames = [...trailerNames, "Set-Cookie", "Keep-Alive"] as const

/** A response by the rules: any framing, interim responses before it, bytes after it now and then. */
const legalText = (random: Random): string => {
  const body = bodyText(random)
  const version = random.pick(["1.1", "1.1", "1.1", "1.0"])
  const framing = random.pick(["length", "length", "chunked", "chunked", "close", "none"])
  const lines = fieldLines(random, 5, fieldNames)
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
