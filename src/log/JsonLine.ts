import { jsonText } from "../wire/PrintableText.js"
import { type AccessFieldName, type FieldTaker, type Shown, tellFields } from "./AccessLine.js"
import { longestField, type QueryRule } from "../telemetry/Redaction.js"
import type { TrafficRecord } from "../telemetry/TrafficRecord.js"

/** Texts are cut before they come here: the longest line that anybody can bring about is shorter than 32 KiB. */
const mostBytes = 131_072

const [comma, quote, colon, zero] = [44, 34, 58, 48]
const [braceOpen, braceClose, lineBreak] = [123, 125, 10]

/** By its code, whether a character stands in JSON as it is, and is seen. */
const isPlain = Array.from({ length: 128 }, (_, code) => /[ !#-[\]-~]/.test(String.fromCharCode(code)))

/** What stands behind a whole number for so many thousandths. */
const decimals: ReadonlyArray<string> = Array.from({ length: 1_000 }, (_, thousandths) =>
  thousandths === 0 ? "" : `.${String(thousandths).padStart(3, "0").replace(/0+$/, "")}`,
)

/** Up to here whole numbers are divided as such. */
const mostQuick = 2 ** 30

/**
 * Makes lines of JSON, as bytes in memory that is used again. Put together as texts, of some eighty pieces, a line took twice
 * as long, and three kilobytes that had to be collected.
 */
export class JsonLine implements FieldTaker {
  /** The line that was made last, with its line break, is the first `length` of these. */
  readonly bytes = Buffer.allocUnsafeSlow(mostBytes)
  length = 0

  constructor(private readonly query: QueryRule) {}

  /** Makes the line of a record. Numbers are numbers; any text in it is on that one line. */
  make(record: TrafficRecord): void {
    this.length = 0
    tellFields(record, this.query, this)
    // In place of the comma before the first field.
    this.bytes[0] = braceOpen
    this.put(braceClose)
    this.put(lineBreak)
  }

  word(name: AccessFieldName, value: string): void {
    this.name(name)
    this.put(quote)
    this.ascii(value)
    this.put(quote)
  }

  text(name: AccessFieldName, value: string | undefined, shown: Shown): void {
    if (value === undefined || value === "") return
    this.name(name)
    const begun = this.length
    this.put(quote)
    if (value.length <= longestField && this.plain(value)) this.put(quote)
    else this.length = begun + this.bytes.write(jsonText(shown(value)), begun, "utf8")
  }

  number(name: AccessFieldName, value: number | undefined): void {
    if (value === undefined) return
    this.name(name)
    this.whole(value)
  }

  milliseconds(name: AccessFieldName, value: number | undefined): void {
    if (value === undefined) return
    this.name(name)
    // What the engine makes of a fraction takes longer than the rest of a line.
    const thousandths = Math.round(value * 1_000)
    const whole = Math.floor(thousandths / 1_000)
    this.whole(whole)
    this.ascii(decimals[thousandths - whole * 1_000] ?? "")
  }

  flag(name: AccessFieldName, value: boolean | undefined): void {
    if (value === undefined) return
    this.name(name)
    this.ascii(value ? "true" : "false")
  }

  private name(name: AccessFieldName): void {
    this.put(comma)
    this.put(quote)
    this.ascii(name)
    this.put(quote)
    this.put(colon)
  }

  private put(byte: number): void {
    this.bytes[this.length++] = byte
  }

  private ascii(text: string): void {
    const { bytes, length } = this
    for (let index = 0; index < text.length; index++) bytes[length + index] = text.charCodeAt(index)
    this.length = length + text.length
  }

  /** Takes a text as it is, up to what JSON would have to escape. Gives whether that was all of it. */
  private plain(text: string): boolean {
    const { bytes, length } = this
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index)
      if (isPlain[code] !== true) return false
      bytes[length + index] = code
    }
    this.length = length + text.length
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
