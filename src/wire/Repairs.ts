/** Something in a response that breaks the rules, and is put right before the response goes on. */
export interface Repair {
  /** What was done, as the log says it. */
  readonly done: string
  /** Only of servers that are taken leniently. */
  readonly leniently: boolean
  /** The connection may carry another response afterwards. Behind any other repair it is dropped. */
  readonly keepsConnection: boolean
}

const always = (done: string): Repair => ({ done, leniently: false, keepsConnection: false })
const leniently = (done: string): Repair => ({ done, leniently: true, keepsConnection: false })

/**
 * Every repair, once. Each leaves one way to read the response. A connection belongs to one session, and is dropped behind
 * a repair: whatever a server meant otherwise, nobody else is answered with it. docs/ROUTING.md lists the rules.
 */
export const repairs = {
  emptyLine: always("an empty line before the status line was left out"),
  blankBeforeColon: always("whitespace before a colon was removed"),
  repeatedLength: always("Content-Length, said more than once with one value, was made one"),
  identity: always("Transfer-Encoding: identity beside a Content-Length was dropped"),
  blankInChunkLine: always("whitespace in a chunk-size line was dropped"),
  misframedHead: always("framing fields of a response without content, which cannot be believed, were dropped"),
  announcedContent: always("the content that a 1xx or 204 announces was taken off it"),
  needlessLength: { ...always("Content-Length: 0 was taken off a 1xx or 204"), keepsConnection: true },
  bareLineFeed: leniently("a line feed without a carriage return was taken for a line end"),
  bothFramings: leniently("Content-Length beside Transfer-Encoding: chunked was dropped"),
  chunkedTwice: leniently("chunked, said more than once in Transfer-Encoding, was taken once"),
  noField: leniently("a line that is no field was dropped"),
  folded: leniently("a folded field line was joined"),
} satisfies Readonly<Record<string, Repair>>

export type RepairName = keyof typeof repairs
