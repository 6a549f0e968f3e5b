// The token is kept by this tab alone, and is in no address longer than it takes to read it.

const key = "ss-proxy.token"

/** The token of this tab. One that comes in the address is taken from there, out of the history, too. */
export const currentToken = (): string | undefined => {
  const [, given] = /^#token=([^&]+)/.exec(location.hash) ?? []
  if (given !== undefined) {
    history.replaceState(null, "", `${location.pathname}#/`)
    sessionStorage.setItem(key, decodeURIComponent(given))
  }
  return sessionStorage.getItem(key) ?? undefined
}

export const keepToken = (token: string): void => sessionStorage.setItem(key, token)

export const forgetToken = (): void => sessionStorage.removeItem(key)
