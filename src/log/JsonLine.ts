import { packed, type PackedText } from "../wire/PackedText.js"
import { jsonText } from "../wire/PrintableText.js"
import { type AccessField, fields } from "./AccessField.js"
import { type FieldTaker, inSecond, secondText, type Shown, tellFields, threeDigits } from "./AccessLine.js"
import { LineMemory } from "./LineMemory.js"
import { longestField, type QueryRule } from "../telemetry/Redaction.js"
import type { TrafficRecord } from "../telemetry/TrafficRecord.js"

const [quote, zero, letterZ] = [34, 48, 90]
const [braceOpen, braceClose, lineBreak] = [123, 125, 10]

/** By its code, whether a character stands in JSON as it is, and is seen: 1 where it does. */
const isPlain = Uint8Array.from({ length: 128 }, (_, code) => (/[ !#-[\]-~]/.test(String.fromCharCode(code)) ? 1 : 0))

/** What stands behind a whole number for so many thousandths. */
const decimals: ReadonlyArray<string> = Array.from({ length: 1_000 }, (_, thousandths) =>
  thousandths === 0 ? "" : `.${String(thousandths).padStart(3, "0").replace(/0+$/, "")}`,
)

/** Up to here whole numbers are divided as such. */
const mostQuick = 2 ** 30

/**
 * Makes lines of JSON, as bytes where they are to be. Put together as texts, of some eighty pieces, a line took twice as
 * long, and three kilobytes that had to be collected.
 */
export class JsonLine implements FieldTaker {
  private memory = new LineMemory()
  private at = 0
  /** When the second began that the last line was of, and what a line of that begins with. */
  private second = Number.NaN
  private beforeMilliseconds = packed("")

  /** `worker`: the number of this process among those that write to one log. */
  constructor(
    private readonly query: QueryRule,
    private readonly worker?: number,
  ) {}

  /**
   * Puts the line of a record, with its line break, behind the lines in `memory`. Gives how long it is, in bytes. Numbers are
   * numbers; any text in it is on that one line.
   */
  make(record: TrafficRecord, memory: LineMemory): number {
    this.memory = memory
    this.at = memory.length
    tellFields(record, this.query, this)
    this.number(fields.worker, this.worker)
    // In place of the comma before the first field.
    memory.bytes[memory.length] = braceOpen
    this.put(braceClose)
    this.put(lineBreak)
    return this.at - memory.length
  }

  time({ name }: AccessField, milliseconds: number): void {
    const whole = Math.floor(milliseconds)
    if (!(whole >= this.second && whole < this.second + 1_000)) {
      this.second = whole - inSecond(whole)
      this.beforeMilliseconds = packed(`,"${name}":"${secondText(this.second)}`)
    }
    this.packed(this.beforeMilliseconds)
    this.ascii(threeDigits[whole - this.second] ?? "")
    this.put(letterZ)
    this.put(quote)
  }

  word({ beforeText }: AccessField, value: string): void {
    this.packed(beforeText)
    this.ascii(value)
    this.put(quote)
  }

  text({ beforeText }: AccessField, value: string | undefined, shown: Shown): void {
    if (value === undefined || value === "") return
    this.packed(beforeText)
    if (value.length <= longestField && this.plain(value)) return this.put(quote)
    // With its quotes.
    const begun = this.at - 1
    this.at = begun + this.memory.bytes.write(jsonText(shown(value)), begun, "utf8")
  }

  number({ beforeNumber }: AccessField, value: number | undefined): void {
    if (value === undefined) return
    this.packed(beforeNumber)
    this.whole(value)
  }

  milliseconds({ beforeNumber }: AccessField, value: number | undefined): void {
    if (value === undefined) return
    this.packed(beforeNumber)
    // What the engine makes of a fraction takes longer than the rest of a line.
    const thousandths = Math.round(value * 1_000)
    const whole = Math.floor(thousandths / 1_000)
    this.whole(whole)
    this.ascii(decimals[thousandths - whole * 1_000] ?? "")
  }

  flag({ beforeNumber }: AccessField, value: boolean | undefined): void {
    if (value === undefined) return
    this.packed(beforeNumber)
    this.ascii(value ? "true" : "false")
  }

  private put(byte: number): void {
    this.memory.bytes[this.at++] = byte
  }

  private packed({ length, words }: PackedText): void {
    const { view } = this.memory
    const { at } = this
    for (let index = 0; index < words.length; index++) view.setInt32(at + index * 4, words[index] ?? 0, true)
    this.at = at + length
  }

  private ascii(text: string): void {
    const { bytes } = this.memory
    const { at } = this
    for (let index = 0; index < text.length; index++) bytes[at + index] = text.charCodeAt(index)
    this.at = at + text.length
  }

  /** Takes a text as it is, unless there is something in it that JSON would have to escape. Gives whether it did. */
  private plain(text: string): boolean {
    const { bytes } = this.memory
    const { at } = this
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index)
      if (isPlain[code] !== 1) return false
      bytes[at + index] = code
    }
    this.at = at + text.length
    return true
  }

  private whole(value: number): void {
    if (!(value >= 0 && value < mostQuick)) return this.ascii(JSON.stringify(value))
    let unit = 1
    while (unit * 10 <= value) unit *= 10
    for (let rest = value | 0; unit >= 1; unit = (unit / 10) | 0) {
      const digit = (rest / unit) | 0
      this.put(zero + digit)
      rest -= digit * unit
    }
  }
}
