import { Data } from "effect"

/** The same class, whose errors are made without the calls that led there. */
const withoutStack = <Class extends new (...values: Array<never>) => object>(errors: Class): Class =>
  new Proxy(errors, {
    construct: (target, values, instance): object => {
      const limit = Error.stackTraceLimit
      Error.stackTraceLimit = 0
      try {
        return Reflect.construct(target, values, instance)
      } finally {
        Error.stackTraceLimit = limit
      }
    },
  })

/**
 * `Data.TaggedError` for errors that are answers: made for every request that has none other, so that anybody can have many
 * made. They have no stack, which takes longer to write down than the rest of such an answer, and of which nobody would
 * learn anything: `_tag` and fields say what happened. A `cause` keeps its own.
 */
export const TaggedError: typeof Data.TaggedError = (tag) => withoutStack(Data.TaggedError(tag))
