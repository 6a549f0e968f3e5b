import type { ExplainQuery } from "../process/Explain.js"

/** A token of HTTP (RFC 9110 section 5.6.2). */
const methodPattern = /^[\w!#$%&'*+.^`|~-]{1,64}$/

const authorityAndRest = /^(?:https?|wss?):\/\/(?:[^/?#@]*@)?([^/?#]*)([^#]*)/i

/** What a client would send for a URL: its host, and its target. A path is a target. Characters that no target has are encoded. */
const partsOf = (url: string): Pick<ExplainQuery, "host" | "target"> => {
  const [, host = "", behind] = authorityAndRest.exec(url) ?? []
  const rest = behind ?? url.replace(/#.*$/, "")
  const target = (rest.startsWith("/") ? rest : `/${rest}`).replace(/[^\u0021-\u007e]+/g, encodeURIComponent)
  return { host: host === "" ? undefined : host, target }
}

/** What is asked: one of `url` and `target`. */
export interface ExplainParameters {
  readonly url?: string | undefined
  readonly target?: string | undefined
  readonly method?: string | undefined
  readonly upgrade?: "websocket" | undefined
}

/** What to explain; `undefined` where it cannot be told. A URL of `ws` or `wss` is a WebSocket's. */
export const explainQueryOf = ({
  method = "GET",
  target,
  upgrade,
  url,
}: ExplainParameters): ExplainQuery | undefined => {
  if (!methodPattern.test(method) || (url === undefined) === (target === undefined)) return undefined
  if (target !== undefined && !/^[\u0021-\u00ff]+$/.test(target)) return undefined
  const upgrades = upgrade === "websocket" || (url !== undefined && /^wss?:/i.test(url))
  return { method, ...(target === undefined ? partsOf(url ?? "") : { host: undefined, target }), upgrades }
}
