/** Text in ASCII as numbers of four bytes each, lowest first: a number is copied as quickly as a byte. */
export interface PackedText {
  readonly words: Int32Array
  /** In bytes, without what fills the last number up. */
  readonly length: number
}

/** Packs a text of ASCII. What fills it up is to be written over by what comes behind it. */
export const packed = (text: string): PackedText => {
  const bytes = Buffer.alloc(Math.ceil(text.length / 4) * 4, " ")
  bytes.write(text, "latin1")
  return {
    words: Int32Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readInt32LE(index * 4)),
    length: text.length,
  }
}
