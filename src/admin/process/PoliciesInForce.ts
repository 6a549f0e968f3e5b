import { type Policy, policyRows } from "../../domain/Policies.js"
import type { ProxySettings } from "../../domain/ProxyConfig.js"
import { shownText } from "../../domain/Reading.js"
import type { SessionPolicy } from "../../domain/SessionPolicy.js"
import { settingRows } from "../../domain/Settings.js"
import type { ExplainView } from "../api/ExplainView.js"
import { shownValue } from "./SettingValue.js"

const nameOfSetting = new Map(Object.entries(settingRows).map(([name, row]) => [row, name]))

/** What only the store sets is in force nowhere. */
const flagged = Object.entries(policyRows).filter(([, { flag }]) => flag !== undefined)

/** What holds for a session that says nothing: the setting, where there is one. */
const generalValue = ({ fallback, inPlaceOf, reading }: Policy<unknown>, settings: ProxySettings): string =>
  inPlaceOf === undefined
    ? reading.show(fallback)
    : shownValue(inPlaceOf, Reflect.get(settings, nameOfSetting.get(inPlaceOf) ?? ""))

/** Every policy of a session as it is in force, by the session or by the settings of the proxy; as its flag takes it, without secrets. */
export const policiesInForce = (
  policy: SessionPolicy,
  settings: ProxySettings,
): (typeof ExplainView.Type)["policies"] =>
  flagged.map(([name, row]) => {
    const own: unknown = Reflect.get(policy, name)
    return own === row.fallback
      ? { name: row.column, value: generalValue(row, settings), from: "proxy" as const }
      : { name: row.column, value: shownText(row.reading, own), from: "session" as const }
  })
