import type { DownstreamUrl } from "../../src/wire/DownstreamUrl.js"

/** Where sessions of tests lead that never connect to a server. */
export const nowhere: DownstreamUrl = {
  secure: false,
  hostname: "h",
  port: 1,
  authority: "h:1",
  basePath: "",
  storedPath: "/",
  authorization: undefined,
}
