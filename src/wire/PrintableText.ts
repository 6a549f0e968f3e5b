const isPlain = (text: string): boolean => /^[\u0020-\u007e]*$/.test(text)

/**
 * Characters that are invisible or change how other text is shown: control and format characters, including those that
 * change the direction of text; line separators; characters that are drawn as nothing; lone surrogates.
 */
const unseen = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu

const spelledOut = (character: string): string => {
  const code = character.codePointAt(0) ?? 0
  if (code > 0xffff) return `\\u{${code.toString(16)}}`
  return code > 0xff ? `\\u${code.toString(16).padStart(4, "0")}` : `\\x${code.toString(16).padStart(2, "0")}`
}

/** Escapes invisible characters, so that a text cannot control the terminal or look like another text. */
export const printable = (text: string): string => (isPlain(text) ? text : text.replace(unseen, spelledOut))

/** The same for JSON: uses JSON's escapes, so that its value stays the same. Line breaks stay. */
export const printableJson = (json: string): string =>
  json.replace(unseen, (character) =>
    character === "\n"
      ? character
      : character
          .split("")
          .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
          .join(""),
  )

const isPlainInJson = (json: string): boolean => /^[ !#-[\]-~]*$/.test(json)

/** A text as a JSON string, on one line, with what is not seen spelled as JSON does it. */
export const jsonText = (text: string): string =>
  isPlainInJson(text) ? `"${text}"` : printableJson(JSON.stringify(text))

/** A character in UTF-8 (RFC 3629 section 4) beyond ASCII, read as latin1; else a byte that is part of none. */
const utf8Character =
  /[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}|[\x80-\xff]/g

/** Bytes that came as latin1, as the text that they are in UTF-8; a byte that belongs to no character is spelled out. */
export const textOfBytes = (latin1: string): string =>
  isPlain(latin1)
    ? latin1
    : latin1.replace(utf8Character, (bytes) =>
        bytes.length === 1 ? spelledOut(bytes) : Buffer.from(bytes, "latin1").toString("utf8"),
      )

/** A text that is longer than `most` is cut, and how long it was is said. */
export const shortened = (text: string, most: number): string =>
  text.length <= most ? text : `${text.slice(0, most)}…[${text.length} characters]`
