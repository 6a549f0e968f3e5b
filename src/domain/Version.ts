/** Defined by `scripts/build.mjs`, from package.json. */
declare const __SS_PROXY_VERSION__: string

/** The version of this program; `dev` if the sources run without a build. */
export const version: string = typeof __SS_PROXY_VERSION__ === "string" ? __SS_PROXY_VERSION__ : "dev"
