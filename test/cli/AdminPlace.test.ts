import { describe, expect, it } from "@effect/vitest"
import { addressOf, baseOf, nameOf } from "../../src/cli/admin/AdminPlace.js"

describe("where a proxy is asked", () => {
  it("is a socket, or a host and a port; an address of IPv6 without its brackets", () => {
    const at = (url: string) => addressOf({ url, token: undefined })
    expect(at("http://127.0.0.1:9091")).toEqual({ host: "127.0.0.1", port: "9091" })
    expect(at("http://[::1]:9091")).toEqual({ host: "::1", port: "9091" })
    expect(addressOf({ path: "./admin.sock" })).toMatchObject({ socketPath: "./admin.sock" })
  })

  it("has a name for people, and a base of URLs", () => {
    expect([nameOf({ path: "./admin.sock" }), baseOf({ path: "./admin.sock" })]).toEqual([
      "./admin.sock",
      "http://admin",
    ])
  })
})
