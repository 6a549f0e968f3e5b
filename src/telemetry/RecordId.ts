import { randomBytes } from "node:crypto"

const processId = randomBytes(5).readUIntBE(0, 5).toString(36)
let last = 0

/** A name for what is under way, that nothing in this process or any other has had: `{process}-{serial}`, both base 36. */
export const nextRecordId = (): string => `${processId}-${(++last).toString(36)}`
