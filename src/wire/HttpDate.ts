let second = Number.NaN
let text = ""

/**
 * The present time as an IMF-fixdate (RFC 9110 section 5.6.7). Cached for a second, because every answer may need it.
 */
export const httpDate = (): string => {
  const now = Math.floor(Date.now() / 1_000)
  if (now !== second) {
    second = now
    text = new Date(now * 1_000).toUTCString()
  }
  return text
}
