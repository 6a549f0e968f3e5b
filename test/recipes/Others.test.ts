import { it } from "@effect/vitest"
import { describeUnless, lacking } from "../support/LeftOut.js"
import { Reader } from "./Recipe.js"

/** Those of software that no machine of the tests has: their rows, and where requests would go. */
const others = ["code-server", "Open WebUI", "vLLM", "ollama", "Home Assistant", "Load balancers"]

describeUnless(lacking("curl"))("the recipes for software that is not here", () => {
  it.scopedLive("have rows that the program takes, and that lead where they say", () => Reader.follow(others), 60_000)
})
