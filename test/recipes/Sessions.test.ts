import { it } from "@effect/vitest"
import { describeUnless, lacking } from "../support/LeftOut.js"
import { Reader } from "./Recipe.js"

/** Recipes that can be followed one after another with one proxy. */
const groups = [
  ["Kick somebody", "Drain a session", "A token for a server"],
  ["Expire sessions", "Hold requests"],
  ["Limit a session"],
  ["Host names"],
]

describeUnless(["curl", "sqlite3", "python3"].map(lacking).find(Boolean))("the recipes for sessions", () => {
  for (const sections of groups)
    it.scopedLive(`do what they say: ${sections.join(", ")}`, () => Reader.follow(sections), 60_000)
})
