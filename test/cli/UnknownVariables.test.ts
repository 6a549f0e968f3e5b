import { describe, expect, it } from "@effect/vitest"
import { flagsOf } from "../../src/cli/CommandDoc.js"
import { docs } from "../../src/cli/ProgramDoc.js"
import { knownVariables, unknownVariables } from "../../src/cli/UnknownVariables.js"
import { textOf } from "../docs/Blocks.js"

const told = (environment: Readonly<Record<string, string>>) =>
  unknownVariables(environment).map(({ message }) => message)

describe("a variable of the program that nobody reads", () => {
  it("is told, with the one that may be meant, and without its value", () => {
    expect(told({ SS_PROXY_PROT: "secret", SS_PROXY_FROBNICATE: "1", SS_PROXY_PORT: "1", PATH: "/bin" })).toEqual([
      "the variable SS_PROXY_PROT means nothing to ss-proxy; did you mean SS_PROXY_PORT?",
      "the variable SS_PROXY_FROBNICATE means nothing to ss-proxy",
    ])
  })

  it("is none that Kubernetes sets for a service that is named like the program", () => {
    const tcp = "tcp://10.0.0.1:8080"
    expect(
      told({
        SS_PROXY_SERVICE_HOST: "10.0.0.1",
        SS_PROXY_SERVICE_PORT: "8080",
        SS_PROXY_SERVICE_PORT_HTTP: "8080",
        SS_PROXY_PORT_8080_TCP: tcp,
        SS_PROXY_PORT_8080_TCP_PROTO: "tcp",
        SS_PROXY_BLUE_PORT: tcp,
        SS_PROXY_BLUE_SERVICE_HOST: "10.0.0.1",
      }),
    ).toEqual([])
  })

  it("is none of any flag, or of the documents", () => {
    for (const { env } of docs.flatMap(flagsOf)) if (env !== undefined) expect(knownVariables).toContain(env)
    for (const [name] of textOf("docs/CONFIGURATION.md").matchAll(/SS_PROXY_[A-Z_]*[A-Z]/g))
      expect(knownVariables).toContain(name)
  })
})
