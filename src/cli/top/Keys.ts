/** Keys that have a name; any other is the character that it types. */
export type NamedKey =
  | "up"
  | "down"
  | "page-up"
  | "page-down"
  | "home"
  | "end"
  | "enter"
  | "escape"
  | "backspace"
  | "interrupt"
  | "suspend"
  | "redraw"

/** A key, or text that was pasted. */
export type Key =
  | { readonly _tag: "Named"; readonly name: NamedKey }
  | { readonly _tag: "Typed"; readonly character: string }
  | { readonly _tag: "Pasted"; readonly text: string }

const named = (name: NamedKey): Key => ({ _tag: "Named", name })

const controls: ReadonlyMap<string, NamedKey> = new Map([
  ["\r", "enter"],
  ["\n", "enter"],
  ["\u007f", "backspace"],
  ["\b", "backspace"],
  ["\u0003", "interrupt"],
  ["\u001a", "suspend"],
  ["\u000c", "redraw"],
  ["\u0010", "up"],
  ["\u000e", "down"],
])

/** What terminals send behind ESC. */
const sequences: ReadonlyMap<string, NamedKey> = new Map([
  ["[A", "up"],
  ["OA", "up"],
  ["[B", "down"],
  ["OB", "down"],
  ["[5~", "page-up"],
  ["[6~", "page-down"],
  ["[H", "home"],
  ["OH", "home"],
  ["[1~", "home"],
  ["[F", "end"],
  ["OF", "end"],
  ["[4~", "end"],
])

/** A sequence behind ESC, whole, and one that is not over yet. */
const whole = /^\u001b(\[[0-?]*[ -/]*[@-~]|O[ -~])/
const begun = /^\u001b(\[[0-?]*[ -/]*|O)$/
const pasteBegin = "\u001b[200~"
const pasteEnd = "\u001b[201~"

/** The longest sequence that is waited for, in characters: a peer that never ends one is not kept. */
const longest = 4_096

/** Makes keys of what a terminal sends. A sequence may come in pieces; an ESC at the end of a piece is the key itself. */
export class KeyReader {
  private rest = ""

  read(piece: string): ReadonlyArray<Key> {
    const keys: Array<Key> = []
    let text = this.rest + piece
    this.rest = ""
    while (text !== "") {
      const [key, length] = this.next(text)
      if (length === 0) {
        this.rest = text.length > longest ? "" : text
        break
      }
      if (key !== undefined) keys.push(key)
      text = text.slice(length)
    }
    return keys
  }

  /** The first key, and how much of the text it is; 0 while it is not over. What nobody knows is passed over. */
  private next(text: string): readonly [key: Key | undefined, length: number] {
    if (text.startsWith(pasteBegin)) return this.pasted(text)
    const sequence = whole.exec(text)
    if (sequence !== null) {
      const name = sequences.get(sequence[1] ?? "")
      return [name === undefined ? undefined : named(name), sequence[0].length]
    }
    if (begun.test(text)) return [undefined, 0]
    const character = String.fromCodePoint(text.codePointAt(0) ?? 0)
    if (character === "\u001b") return [named("escape"), 1]
    const control = controls.get(character)
    if (control !== undefined) return [named(control), 1]
    const isTyped = !/^[\p{Cc}\p{Cs}]$/u.test(character)
    return [isTyped ? { _tag: "Typed", character } : undefined, character.length]
  }

  private pasted(text: string): readonly [key: Key | undefined, length: number] {
    const end = text.indexOf(pasteEnd)
    if (end < 0) return [undefined, 0]
    return [{ _tag: "Pasted", text: text.slice(pasteBegin.length, end) }, end + pasteEnd.length]
  }
}
