import { Effect, type ParseResult, Schema } from "effect"
import { jsonArraySliced } from "./Sliced.js"

/** A question to a process, and its answer, which goes to another process as a text: such a text is made in slices. */
export interface Row<Question, Encoded, Answer> {
  readonly name: string
  readonly question: Schema.Schema<Question, Encoded>
  readonly write: (answer: Answer) => Effect.Effect<string>
  readonly read: (text: string) => Effect.Effect<Answer, ParseResult.ParseError>
}

/** A question that has one small answer. */
export const one = <Question, Encoded, Answer, Written>(
  name: string,
  question: Schema.Schema<Question, Encoded>,
  answer: Schema.Schema<Answer, Written>,
): Row<Question, Encoded, Answer> => {
  const encode = Schema.encodeSync(answer)
  return {
    name,
    question,
    write: (given) => Effect.sync(() => JSON.stringify(encode(given))),
    read: Schema.decode(Schema.parseJson(answer)),
  }
}

/** A question whose answer has any number of elements. */
export const many = <Question, Encoded, Element, Written>(
  name: string,
  question: Schema.Schema<Question, Encoded>,
  element: Schema.Schema<Element, Written>,
): Row<Question, Encoded, ReadonlyArray<Element>> => {
  const encode = Schema.encodeSync(element)
  return {
    name,
    question,
    write: (elements) => jsonArraySliced(elements, encode),
    read: Schema.decode(Schema.parseJson(Schema.Array(element))),
  }
}
