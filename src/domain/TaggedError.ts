import { Data } from "effect"

/** The same class, but its errors have no stack trace. */
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
 * `Data.TaggedError` for errors that become answers. A client can cause many of them, so they must be cheap. They have
 * no stack trace, because capturing one takes longer than the rest of such an answer, and `_tag` and the fields already
 * say what happened. A `cause` keeps its stack trace.
 */
export const TaggedError: typeof Data.TaggedError = (tag) => withoutStack(Data.TaggedError(tag))
