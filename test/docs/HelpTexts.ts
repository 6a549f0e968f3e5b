import { fullName } from "../../src/cli/CommandDoc.js"
import { renderHelp } from "../../src/cli/Help.js"
import { docs } from "../../src/cli/ProgramDoc.js"
import { plainStyle } from "../../src/cli/Style.js"

/** The help of every command as it is kept in test/cli/help, by the name of its file. */
export const helpTexts = (): ReadonlyArray<readonly [file: string, text: string]> =>
  docs.map((doc) => [`${fullName(doc).replaceAll(" ", "-")}.txt`, `${renderHelp(doc, docs, plainStyle)}\n`])
