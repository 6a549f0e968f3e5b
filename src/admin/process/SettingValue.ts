import { shownText } from "../../domain/Reading.js"
import type { Setting } from "../../domain/Setting.js"

/** A value as its flag takes it, for somebody who may read but not know secrets. */
export const shownValue = ({ isSecret, reading, zeroIsNoLimit }: Setting<unknown>, value: unknown): string => {
  if (isSecret === true && reading.json === undefined) return value === "" ? "" : "set"
  if (zeroIsNoLimit === true && value === Infinity) return "0"
  return shownText(reading, value)
}
