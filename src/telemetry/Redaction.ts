/** What is shown of queries: all but secrets, all, or nothing. */
export type QueryMode = "redact" | "keep" | "drop"

/** The longest target that is shown, in bytes. */
const longestTarget = 2_048

/** Names of parameters whose values are secrets: where they contain one of these, end in `key`, or are one of these. */
const secretName =
  /token|secret|passw|pwd|signature|credential|jwt|session|key$|^(?:auth|authorization|sig|code|state|ticket)$/i

const octet = /%([0-9a-f]{2})/gi

const redactedParameter = (parameter: string): string => {
  const equals = parameter.indexOf("=")
  if (equals < 0) return parameter
  const name = parameter
    .slice(0, equals)
    .replace(octet, (_, digits: string) => String.fromCharCode(parseInt(digits, 16)))
  return secretName.test(name) ? `${parameter.slice(0, equals)}=REDACTED` : parameter
}

/** A request target, raw as latin1, as it may be shown: its bytes read as UTF-8, without secrets, at most 2 KiB. */
export const redactedTarget = (target: string, mode: QueryMode): string => {
  const mark = mode === "keep" ? -1 : target.indexOf("?")
  const query =
    mode === "redact"
      ? `?${target
          .slice(mark + 1)
          .split("&")
          .map(redactedParameter)
          .join("&")}`
      : ""
  const shown = mark < 0 ? target : `${target.slice(0, mark)}${query}`
  return Buffer.from(shown.slice(0, longestTarget), "latin1").toString("utf8")
}
