import { Either, Schema } from "effect"
import { type ApiProblem, invalidRequest } from "../api/ApiProblem.js"
import type { LivePlaces } from "../fleet/LiveThings.js"
import type { Place } from "./TopList.js"

/** Where a page ends: opaque to whoever gets it. */
export const cursorOf = (key: string): string => Buffer.from(JSON.stringify([key])).toString("base64url")

/** The same of what is under way. */
export const cursorOfLive = (places: LivePlaces): string => Buffer.from(JSON.stringify(places)).toString("base64url")

/** The same of a place in a sorted list. */
export const cursorOfPlace = ({ id, key }: Place): string =>
  Buffer.from(JSON.stringify([key, id])).toString("base64url")

const Text = Schema.parseJson(Schema.Tuple(Schema.String))
const Places = Schema.parseJson(Schema.Array(Schema.Tuple(Schema.String, Schema.Number)))
const PlacePair = Schema.parseJson(Schema.Tuple(Schema.Number, Schema.String))

const read = <A>(schema: Schema.Schema<A, string>, cursor: string): Either.Either<A, ApiProblem> =>
  Either.mapBoth(Schema.decodeUnknownEither(schema)(Buffer.from(cursor, "base64url").toString()), {
    onLeft: () => invalidRequest("after is no cursor: give the next of the page before."),
    onRight: (found) => found,
  })

/** What such a cursor was made of. */
export const textIn = (cursor: string): Either.Either<string, ApiProblem> =>
  Either.map(read(Text, cursor), ([text]) => text)
export const placeIn = (cursor: string): Either.Either<Place, ApiProblem> =>
  Either.map(read(PlacePair, cursor), ([key, id]) => ({ key, id }))
export const livePlacesIn = (cursor: string): Either.Either<LivePlaces, ApiProblem> => read(Places, cursor)
