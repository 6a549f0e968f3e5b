import { Schema } from "effect"
import { notice, question } from "../../src/workers/Messages.js"

export const note = notice("note", Schema.String)
export const doubled = question("doubled", Schema.Number, Schema.Number)
