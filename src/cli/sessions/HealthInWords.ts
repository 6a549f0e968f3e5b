import type { HealthView } from "../../admin/api/SessionViews.js"
import { idleTime } from "../../sessions/SessionActivity.js"
import { inWords } from "../InWords.js"

type Health = typeof HealthView.Type

const words = { passive: "by its requests", active: "by checks" } as const

const passed = (time: string | null, now: number): string =>
  time === null ? "a while" : inWords(idleTime(Date.parse(time), now))

/** How a session's server does, for people. */
export const healthInWords = ({ checked, failures, last_error: last, since, state }: Health, now: number): string => {
  if (state === "unknown") return "unknown: it has not been asked yet"
  if (state === "ok") return `ok for ${passed(since, now)}, ${words[checked]}`
  const often = failures === 1 ? "once" : `${failures} times in a row`
  if (last === null) return `failing for ${passed(since, now)}, ${often}`
  const what = last.reason === null ? last.code : `${last.code} (${last.reason})`
  return `failing for ${passed(since, now)}, ${often}; the last was ${what} ${passed(last.time, now)} ago`
}
