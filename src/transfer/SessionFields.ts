import { policyRows } from "../domain/Policies.js"

/** The columns of the policies. */
export const policyColumns: ReadonlyArray<string> = Object.values(policyRows).map(({ column }) => column)

/** What is shown of a session and cannot be written: a file or a call may bring it back, and it is passed over. */
export const shownOnly: ReadonlySet<string> = new Set([
  "forwards",
  "created_at",
  "updated_at",
  "draining_until",
  "health",
  "live",
  "activity",
])

/** Every field that a session has in JSON, in the order in which it is shown. */
export const viewFields: ReadonlySet<string> = new Set([
  "id",
  "url",
  "status",
  "forwards",
  ...policyColumns,
  "created_at",
  "updated_at",
  "draining_until",
])
