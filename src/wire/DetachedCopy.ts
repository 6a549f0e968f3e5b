/**
 * The same text (latin1) in memory of its own. A piece of a head that the engine has cut out of it keeps all of that head
 * alive: what outlives its message must not, for heads are large, and hold secrets.
 */
export const detachedCopy = (text: string): string => Buffer.from(text, "latin1").toString("latin1")
