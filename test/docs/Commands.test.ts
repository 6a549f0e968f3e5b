import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { isInstalled } from "../support/Tool.js"
import { blocksOf, chinese, documents, examplesOf, nameOf, recipes, shows } from "./Blocks.js"
import { Terminal } from "./Terminal.js"

/** Programs that the examples use and that not every machine has. */
const missingTools = ["curl", "sqlite3"].filter((tool) => !isInstalled(tool))

for (const document of documents.filter((name) => name !== recipes && name !== chinese)) {
  const examples = examplesOf(document, "sh")
  if (examples.length === 0) continue

  describe(`the commands of ${document}`, () => {
    const terminal = new Terminal()
    beforeAll(() => terminal.open(blocksOf(document).filter(({ kind }) => kind === "file")))
    afterAll(() => terminal.close())

    for (const { block, output } of examples) {
      // A machine may have Node alone, and not what an example calls, such as sqlite3.
      it.skipIf(missingTools.some((tool) => block.text.includes(tool)))(
        `do what it says: ${nameOf(block)}`,
        async () => {
          const printed = await terminal.type(block)
          if (output === undefined) return
          const shown = terminal.here(output)
          expect(shows(shown, printed) ? shown : printed).toBe(shown)
        },
      )
    }
  })
}
