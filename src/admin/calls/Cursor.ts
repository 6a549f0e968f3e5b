import { Either, Schema } from "effect"
import { invalidRequest, type ApiProblem } from "../api/ApiProblem.js"

/** Where a page ends: opaque to whoever gets it. */
export const cursorOf = (key: string | number): string => Buffer.from(JSON.stringify([key])).toString("base64url")

const Text = Schema.parseJson(Schema.Tuple(Schema.String))
const Number = Schema.parseJson(Schema.Tuple(Schema.Number))

const read = <A>(schema: Schema.Schema<readonly [A], string>, cursor: string): Either.Either<A, ApiProblem> =>
  Either.mapBoth(Schema.decodeUnknownEither(schema)(Buffer.from(cursor, "base64url").toString()), {
    onLeft: () => invalidRequest("after is no cursor: give the next of the page before."),
    onRight: ([key]) => key,
  })

/** What such a cursor was made of. */
export const textIn = (cursor: string): Either.Either<string, ApiProblem> => read(Text, cursor)
export const numberIn = (cursor: string): Either.Either<number, ApiProblem> => read(Number, cursor)
