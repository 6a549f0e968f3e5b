/** What a URL of a database looks like, for messages. */
export const databaseUrlForms = "sqlite:PATH or postgres://USER@HOST/DATABASE"

/** The path in a URL of an SQLite database; `undefined` where a text is none. */
export const sqlitePathOf = (text: string): string | undefined => /^sqlite:(?:\/\/)?(.+)$/.exec(text)?.[1]

/** Whether a text is meant to be the URL of a PostgreSQL database. Apart from what reads it, which is loaded only then. */
export const isPostgresUrl = (text: string): boolean => /^postgres(ql)?:/i.test(text)
