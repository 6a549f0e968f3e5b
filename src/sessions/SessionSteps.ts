import type { Applied, NewSession, SessionStep } from "./SessionRepo.js"

/** The id that a step is about. */
export const idOf = (step: SessionStep): string => (step._tag === "Put" ? step.session.id : step.id)

/** What is to be written, and what that comes to. Removals come first. */
export interface Plan {
  readonly applied: Applied
  readonly removals: ReadonlyArray<string>
  readonly puts: ReadonlyArray<NewSession>
}

/**
 * Takes the steps in their order, and leaves out what a later one takes back: each id is written once. `isPresent`:
 * whether a session exists before the first step.
 */
export const planSteps = (
  steps: ReadonlyArray<SessionStep>,
  replace: boolean,
  isPresent: (id: string) => boolean,
): Plan => {
  const present = new Map<string, boolean>()
  const removals = new Set<string>()
  const puts = new Map<string, NewSession>()
  const refused: Array<number> = []
  let [added, replaced, removed, absent] = [0, 0, 0, 0]
  for (const [place, step] of steps.entries()) {
    const id = idOf(step)
    const isThere = present.get(id) ?? isPresent(id)
    present.set(id, step._tag === "Put")
    if (step._tag === "Remove") {
      if (isThere) removed++
      else absent++
      puts.delete(id)
      removals.add(id)
    } else if (isThere && !replace) refused.push(place)
    else {
      if (isThere) replaced++
      else added++
      puts.set(id, step.session)
    }
  }
  const applied = { added, replaced, removed, absent, refused }
  return { applied, removals: [...removals], puts: [...puts.values()] }
}
