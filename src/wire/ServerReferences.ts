/** Where what a server calls its own is for a client. */
export interface ClientView {
  /** Raw path under which all is that the client reaches of the server, without a slash at its end; `""`: all paths. */
  readonly base: string
  /** Raw path by which the client reaches that, without a slash at its end; `""`: the root. */
  readonly prefix: string
  /** Whether the server may mean itself by this scheme (in small letters) and authority. */
  readonly isOwn: (scheme: string, authority: string) => boolean
}

/** The same the other way round. */
export interface ServerView extends Pick<ClientView, "base" | "prefix"> {
  /** Whether the client may mean this proxy by this scheme (in small letters) and authority. */
  readonly isOfProxy: (scheme: string, authority: string) => boolean
  /** The server's own address: scheme and authority. */
  readonly address: string
}

/** A host as browsers know it, and the port, the scheme's own where none is written. */
export interface Origin {
  readonly hostname: string
  readonly port: number
}

const defaultPorts: Readonly<Record<string, number>> = { http: 80, ws: 80, https: 443, wss: 443 }

/** Scheme, authority, and the rest. A backslash in the authority means different hosts to different clients. */
const absolute = /^(https?|wss?):\/\/([^/?#\\]+)([/?#].*)?$/is

/** Browsers leave out tabs, wherever they are, and so may read another authority. */
const control = /[\u0000-\u001f\u007f]/

/** What an authority without user info names; `undefined` where it names nothing, or has user info. */
export const originOf = (scheme: string, authority: string): Origin | undefined => {
  if (authority.includes("@")) return undefined
  try {
    const { hostname, port } = new URL(`${scheme}://${authority}`)
    return {
      hostname: hostname.replace(/^\[|\]$/g, ""),
      port: port === "" ? (defaultPorts[scheme] ?? 0) : Number(port),
    }
  } catch {
    return undefined
  }
}

/** Whether a path, query and fragment behind it, is this one or below it. */
export const isBelow = (path: string, top: string): boolean =>
  path.startsWith(top) && (top === "" || path.length === top.length || "/?#".includes(path.charAt(top.length)))

/** Whether a client may take a reference for one to another host: `//h`, and to browsers `/\h`. */
const namesHost = (reference: string): boolean => /^\/[/\\]/.test(reference)

/** A path that can be nothing else (RFC 3986 section 4.2): it begins with one slash. */
const asPath = (path: string): string => {
  const rooted = path.startsWith("/") ? path : `/${path}`
  return namesHost(rooted) ? `/.${rooted}` : rooted
}

/**
 * A path of the server, with whatever is behind it, as the client asks for it. `undefined`: the client cannot reach it, or it
 * is one that the client reaches as it is, for the server knows its prefix.
 */
export const pathForClient = (path: string, { base, prefix }: ClientView): string | undefined => {
  if (prefix !== "" && isBelow(path, prefix)) return undefined
  return isBelow(path, base) ? asPath(prefix + path.slice(base.length)) : undefined
}

/**
 * A reference of a server (RFC 3986 section 4.1) as its client needs it: one to the server itself, by path or by address,
 * becomes the path by which the client reaches the same. Any other is as it was, and so is one that may be read in two ways.
 */
export const referenceForClient = (reference: string, view: ClientView): string => {
  if (control.test(reference) || namesHost(reference)) return reference
  if (reference.startsWith("/"))
    return view.base === view.prefix ? reference : (pathForClient(reference, view) ?? reference)
  const [, scheme, authority, rest = ""] = absolute.exec(reference) ?? []
  if (scheme === undefined || authority === undefined || !view.isOwn(scheme.toLowerCase(), authority)) return reference
  const path = rest.startsWith("/") ? rest : `/${rest}`
  // It is an internal address: where the server knows its prefix, the path alone is right.
  if (view.prefix !== "" && isBelow(path, view.prefix)) return asPath(path)
  return pathForClient(path, view) ?? reference
}

/** What stands before the reference, and the reference, in quotes or not, as browsers read it. */
const refresh = /^([\t ]*[\d.]+(?:[\t ]*[;,]|[\t ])[\t ]*(?:url[\t ]*=[\t ]*)?)(?:(["'])([^"']*)|([^"'].*)$)/i

/** The value of a `Refresh` field, its reference as `referenceForClient` has it. */
export const refreshForClient = (value: string, view: ClientView): string => {
  const [whole, before, quote, quoted, plain] = refresh.exec(value) ?? []
  if (whole === undefined || before === undefined) return value
  const reference = quoted ?? plain ?? ""
  const changed = referenceForClient(reference, view)
  return changed === reference ? value : `${before}${quote ?? ""}${changed}${value.slice(whole.length)}`
}

/** A path of the proxy as the session's server knows it; `undefined` where it is not the session's. */
const pathForServer = (path: string, { base, prefix }: ServerView): string | undefined => {
  if (!isBelow(path, prefix)) return undefined
  const rest = base + path.slice(prefix.length)
  return rest.startsWith("/") ? rest : `/${rest}`
}

/**
 * A reference of a client (RFC 4918 section 8.3) as the session's server needs it: one to that session, by path or by the
 * address of the proxy, becomes the server's own. Any other is as it was.
 */
export const referenceForServer = (reference: string, view: ServerView): string => {
  if (control.test(reference) || namesHost(reference)) return reference
  if (reference.startsWith("/")) return asPath(pathForServer(reference, view) ?? reference)
  const [, scheme, authority, rest = ""] = absolute.exec(reference) ?? []
  if (scheme === undefined || authority === undefined) return reference
  if (!view.isOfProxy(scheme.toLowerCase(), authority)) return reference
  const path = pathForServer(rest.startsWith("/") ? rest : `/${rest}`, view)
  return path === undefined ? reference : view.address + path
}
