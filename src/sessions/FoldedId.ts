const capitals = /[A-Z]+/g

/**
 * What ids are compared by where their case does not count: only that of ASCII letters, as SQLite's NOCASE has it. Any other
 * rule would depend on a language, or take one letter for another.
 */
export const foldedId = (id: string): string => id.replace(capitals, (letters) => letters.toLowerCase())
