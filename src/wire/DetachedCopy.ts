/**
 * Copies a text (latin1). V8 represents a piece of a string by a reference to the whole string, so a piece of a head
 * keeps the whole head in memory. A text that outlives its message must not do that, because heads are large and
 * contain secrets.
 */
export const detachedCopy = (text: string): string => Buffer.from(text, "latin1").toString("latin1")

/** The same for a text of any characters, such as a decoded id. */
export const detachedText = (text: string): string => Buffer.from(text, "utf8").toString("utf8")
