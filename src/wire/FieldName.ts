const neitherLetterNorDigit = /[^a-z\d]/g

/**
 * A field name as programs see it that get fields as variables (CGI, WSGI, PHP): in any case, and with one character for
 * all that is neither letter nor digit. For them `X_Forwarded_For` is `X-Forwarded-For`, and so is `x.forwarded.for`.
 */
export const foldedName = (name: string): string => name.toLowerCase().replace(neitherLetterNorDigit, "-")
