import { Option, ParseResult, Schema } from "effect"
import { duration } from "../../domain/Reading.js"

// What the schemas of several calls are made of.

export const Nullable = <A, I>(schema: Schema.Schema<A, I>) => Schema.NullOr(schema)
export const Count = Schema.Number
export const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

/**
 * A part of a path. The client of HttpApi puts it into the URL as it is, and the router decodes what it finds there: so it is
 * encoded on the way out, and left alone on the way in.
 */
export const PathPart = Schema.transform(Schema.String, Schema.String, {
  strict: true,
  decode: (part) => part,
  encode: encodeURIComponent,
})

/** A time such as `30s` or `15m`, in milliseconds. */
export const Duration = Schema.transformOrFail(Schema.String, Schema.Number, {
  strict: true,
  decode: (text, _, ast) =>
    Option.match(duration.read(text), {
      onNone: () => ParseResult.fail(new ParseResult.Type(ast, text, `must be ${duration.allowed}`)),
      onSome: ParseResult.succeed,
    }),
  encode: (milliseconds) => ParseResult.succeed(`${milliseconds / 1_000}s`),
})

export const Limit = (most: number) => Schema.NumberFromString.pipe(Schema.int(), Schema.between(1, most))

/** Words between commas. */
export const Words = <const A extends string>(...words: ReadonlyArray<A>) =>
  Schema.split(",").pipe(Schema.compose(Schema.Array(Schema.Literal(...words))))

export const Next = Nullable(Schema.String)

/** Processes that did not answer in time. */
export const Missing = Schema.Array(Schema.String)
