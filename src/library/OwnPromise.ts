/** Whether a function of the program has made a promise, be it of another library or another realm, which are no `Promise` here. */
export const isPromiseLike = (made: unknown): made is PromiseLike<unknown> =>
  typeof made === "object" && made !== null && "then" in made && typeof made.then === "function"

/** Calls a function of the program that nobody waits for. `failed` is told what it throws, or rejects with. */
export const callUnawaited = (call: () => unknown, failed: (thrown: unknown) => void): void => {
  try {
    const made = call()
    if (isPromiseLike(made)) Promise.resolve(made).catch(failed)
  } catch (thrown) {
    failed(thrown)
  }
}
