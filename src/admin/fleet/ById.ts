/** What several processes say of sessions, as one: `merge` is of two of them about the same. */
export const byIdOf = <A>(
  lists: ReadonlyArray<ReadonlyArray<readonly [string, A]>>,
  merge: (one: A, other: A) => A,
): ReadonlyMap<string, A> => {
  const found = new Map<string, A>()
  for (const list of lists)
    for (const [id, answer] of list) {
      const before = found.get(id)
      found.set(id, before === undefined ? answer : merge(before, answer))
    }
  return found
}
