import { Schema } from "effect"
import { SeriesNumbers } from "../admin/fleet/Questions.js"
import type { Row } from "../admin/fleet/Row.js"
import { CellNumbers } from "../admin/fleet/WireNumbers.js"
import { notice, question, type Question } from "./Messages.js"

/** A question of the admin listener as it goes to a worker. Its answer is a text, which the worker makes in slices. */
export const onWire = <Q, I, A>({ name, question: asked }: Row<Q, I, A>): Question<Q, I, string, string> =>
  question(`fleet.${name}`, asked, Schema.String)

/** A worker to the supervisor, before it ends: what it has counted in all. */
export const lastCounted = notice(
  "fleet.lastCounted",
  Schema.Struct({
    /** Of the catalogue that the cells belong to. */
    layout: Schema.String,
    counted: CellNumbers,
    series: Schema.Array(SeriesNumbers),
  }),
)
