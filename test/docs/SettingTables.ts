import type { Flag } from "../../src/cli/Flag.js"
import { runGroups } from "../../src/cli/ProgramFlags.js"
import { settingGroups, settingRows } from "../../src/domain/Settings.js"
import { table } from "./MarkdownTable.js"

const code = (text: string | undefined): string => (text === undefined ? "" : `\`${text}\``)

const names = ({ name, alias }: Flag): string =>
  [`--${name}`, ...(alias === undefined ? [] : [`-${alias}`])].map(code).join(" ")

const flagTable = (flags: ReadonlyArray<Flag>): string =>
  table(
    ["flag", "variable", "default", "meaning"],
    flags.map((flag) => [names(flag), code(flag.env), code(flag.fallback), flag.guide ?? flag.about]),
  )

/** docs/CONFIGURATION.md with its tables of flags brought up to date. */
export const withFlagTables = (document: string): string =>
  document.replace(
    /(<!-- settings: (.*) -->\n)[^]*?(<!-- \/settings -->)/g,
    (_whole, open: string, title: string, close: string) => {
      const group = runGroups.find((group) => group.title === title)
      if (group === undefined) throw new Error(`there are no settings under the title ${title}`)
      return `${open}\n${flagTable(group.flags)}\n\n${close}`
    },
  )

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
export const withSettingTable = (document: string): string =>
  document.replace(
    /(<!-- settings -->\n)[^]*?(<!-- \/settings -->)/,
    (_whole, open: string, close: string) => `${open}\n${settingTable()}\n\n${close}`,
  )
