import type { Random } from "../support/Random.js"

// What requests and responses are made of, for tests that make up thousands of them.

export const trailerNames = ["X-A", "x-b", "!#$%&'*+-.^_`|~", "Date", "Vary", "__proto__"] as const

/** Lines of fields by the rules, without their line ends: at most so many, of these names. */
export const fieldLines = (random: Random, most: number, names: readonly [string, ...Array<string>]): Array<string> =>
  Array.from({ length: random.below(most + 1) }, () => {
    const value = random.pick(["", "a", "b c", "a=b; Path=/", '"q\\"', "caf\xe9 \x80\xff", "x\ty", "timeout=5, max=9"])
    const space = random.pick(["", " ", " ", " ", "\t", " \t "])
    return `${random.pick(names)}:${space}${value}${random.chance(0.2) ? space : ""}`
  })

/** Content of any bytes, as latin1; often none. */
export const bodyText = (random: Random): string => {
  const size = random.pick([0, 1, 5, 40, 700])
  let text = ""
  while (text.length < size) text += String.fromCharCode(random.below(256))
  return text
}

/** Content in chunks of any size, with extensions and trailers (RFC 9112 section 7.1). */
export const chunkedText = (random: Random, body: string): string => {
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
  const trailers = fieldLines(random, 2, trailerNames).map((line) => `${line}\r\n`)
  return `${text}0\r\n${trailers.join("")}\r\n`
}
