import type { Flag } from "../../src/cli/Flag.js"
import { policyChangeFlags } from "../../src/cli/sessions/PolicyChoice.js"
import { runGroups } from "../../src/cli/ProgramFlags.js"
import { policyRows } from "../../src/domain/Policies.js"
import { settingGroups } from "../../src/domain/Setting.js"
import { settingRows } from "../../src/domain/Settings.js"
import { table } from "./MarkdownTable.js"

const code = (text: string | undefined): string => (text === undefined ? "" : `\`${text}\``)

const names = ({ name, alias }: Flag): string =>
  [`--${name}`, ...(alias === undefined ? [] : [`-${alias}`])].map(code).join(" ")

const flagTable = (flags: ReadonlyArray<Flag>): string =>
  table(
    ["flag", "variable", "default", "meaning"],
    flags.map((flag) => [names(flag), code(flag.env), code(flag.fallback), flag.guide ?? flag.about]),
  )

/** A document with what stands between two marks replaced. */
const between = (document: string, mark: string, text: (title: string) => string): string =>
  document.replace(
    new RegExp(`(<!-- ${mark}(?:: (.*?))? -->\n)[^]*?(<!-- /${mark} -->)`, "g"),
    (_whole, open: string, title: string | undefined, close: string) => `${open}\n${text(title ?? "")}\n\n${close}`,
  )

const groupTable = (title: string): string => {
  const group = runGroups.find((group) => group.title === title)
  if (group === undefined) throw new Error(`there are no settings under the title ${title}`)
  return flagTable(group.flags)
}

/** docs/CONFIGURATION.md with its tables of flags brought up to date. */
export const withFlagTables = (document: string): string =>
  between(between(document, "settings", groupTable), "policies", () => flagTable(policyChangeFlags))

const inOrder = settingGroups.flatMap((title) => Object.entries(settingRows).filter(([, { group }]) => group === title))

const settingTable = (): string =>
  table(
    ["setting", "default", "unit", "meaning"],
    inOrder.map(([name, { fallback, reading, guide, help }]) => [
      code(name),
      code(JSON.stringify(fallback)),
      reading.unit ?? "",
      guide ?? help,
    ]),
  )

/** docs/LIBRARY.md with its table of settings brought up to date. */
export const withSettingTable = (document: string): string => between(document, "settings", settingTable)

const policyTable = (): string =>
  table(
    ["column", "must be", "meaning"],
    Object.values(policyRows).map(({ column, stored, guide }) => [code(column), stored, guide]),
  )

/** docs/DATABASE.md with its table of policies brought up to date. */
export const withPolicyTable = (document: string): string => between(document, "policies", policyTable)
