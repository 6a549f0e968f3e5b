/** Characters of the longest label (RFC 1035 section 2.3.4). */
export const longestLabel = 63

/** What DNS and browsers agree on: no hyphen at an end (RFC 5890 section 2.3.1); and `_`, which ids often have. */
const label = /^(?!-)[a-z0-9_-]+(?<!-)$/

/** Whether a session with this id can have a name of its own. */
export const isLabel = (id: string): boolean => id.length <= longestLabel && label.test(id)

const encoded = /%([0-9a-f]{2})/gi
const decoded = (host: string): string =>
  host.replace(encoded, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))

const DOT = 0x2e
const port = /:\d*$/

/** The names below which each session has a name of its own: `alice.apps.example.com` for `apps.example.com`. */
export class SessionHosts {
  /** Each with a dot before it. The longest come first, for one may be below another. */
  private readonly endings: ReadonlyArray<string>

  private constructor(names: ReadonlyArray<string>) {
    this.endings = names.map((name) => `.${name.toLowerCase()}`).sort((one, other) => other.length - one.length)
  }

  /** `undefined` for no names: then nobody has to be asked about hosts. */
  static of(names: ReadonlyArray<string>): SessionHosts | undefined {
    return names.length === 0 ? undefined : new SessionHosts(names)
  }

  /**
   * What a host, with or without port (RFC 9110 section 7.2), has before one of the names, in small letters; `undefined`
   * where it is not below any of them. A dot at the end makes a name absolute, and is still the same name. What is found may
   * be no label: then no session has this name. So it is with more dots, and with a percent-encoding, which hides nothing.
   */
  below(host: string): string | undefined {
    const isEncoded = host.includes("%")
    const name = (isEncoded ? decoded(host) : host).replace(port, "").toLowerCase()
    let end = name.length
    while (name.charCodeAt(end - 1) === DOT) end--
    for (const ending of this.endings) {
      if (name.endsWith(ending, end)) {
        // A whole name is no label.
        return isEncoded || name.length - end > 1 ? name : name.slice(0, end - ending.length)
      }
      if (end === ending.length - 1 && ending.endsWith(name.slice(0, end))) return undefined
    }
    return undefined
  }
}
