const neitherLetterNorDigit = /[^a-z\d]/g

/**
 * Folds a field name like programs that get fields as variables (CGI, WSGI, PHP): lower case, and `-` for each
 * character that is neither a letter nor a digit. For them `X_Forwarded_For` and `x.forwarded.for` are
 * `X-Forwarded-For`.
 */
export const foldedName = (name: string): string => name.toLowerCase().replace(neitherLetterNorDigit, "-")
