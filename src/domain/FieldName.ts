const neitherLetterNorDigit = /[^a-z\d]/g

/**
 * Folds a field name like programs that get fields as variables (CGI, WSGI, PHP): lower case, and `-` for each
 * character that is neither a letter nor a digit. For them `X_Forwarded_For` and `x.forwarded.for` are
 * `X-Forwarded-For`.
 */
export const foldedName = (name: string): string => name.toLowerCase().replace(neitherLetterNorDigit, "-")

/** Whether a text is a token (RFC 9110 section 5.6.2), such as a field name. */
export const isToken = (text: string): boolean => /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(text)
