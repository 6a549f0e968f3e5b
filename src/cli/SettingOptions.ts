import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import * as ValidationError from "@effect/cli/ValidationError"
import { Either, Option } from "effect"
import { type ProxySettings, readSettings } from "../domain/ProxyConfig.js"
import { flagOf, option } from "./Flag.js"
import { flaggedSettings } from "./ProgramFlags.js"

const given = Options.all(
  Object.fromEntries(
    flaggedSettings.filter(([, { inFile }]) => inFile !== true).map(([name, row]) => [name, option(flagOf(row))]),
  ),
)

/** The settings from flags, variables and defaults, except those that are read from files. */
export const settingOptions: Options.Options<ProxySettings> = Options.mapEffect(given, (values) => {
  const present = Object.entries(values).flatMap(([name, value]) => (Option.isSome(value) ? [[name, value.value]] : []))
  return Either.mapLeft(readSettings(Object.fromEntries(present)), ({ message }) =>
    ValidationError.invalidValue(HelpDoc.p(message)),
  )
})
