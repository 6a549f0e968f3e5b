import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import * as ValidationError from "@effect/cli/ValidationError"
import { Config, Effect, Option } from "effect"
import { readFileSync } from "node:fs"
import { type Reading, refusal } from "../domain/Reading.js"
import * as Readings from "../domain/Reading.js"
import type { FlaggedSetting } from "../domain/Setting.js"
import { redactUrl } from "../wire/DownstreamUrl.js"
import { fileFault } from "./FileFault.js"
import { isServiceLink, serviceLinkHint } from "./ServiceLink.js"

/** A flag of the command line, for parsing, help and completions. */
export interface Flag<A = unknown> {
  /** Long name, without the dashes. */
  readonly name: string
  /** Short name: one letter. */
  readonly alias?: string
  /** The environment variable that is read if the flag is absent. */
  readonly env?: string
  readonly about: string
  /** Replaces `about` in docs/CONFIGURATION.md (Markdown). */
  readonly guide?: string
  /** The default as text, for the help. */
  readonly fallback?: string
  readonly reading: Reading<A>
  /** What it means where no value follows; absent where one has to. */
  readonly alone?: string
}

/** Whether the flag takes no value in a word of its own: `--name` means `--name=true`. */
export const isSwitch = ({ reading }: Flag): boolean => reading.placeholder === undefined

/** The environment variable of a flag. */
const variableOf = (name: string): string => `SS_PROXY_${name.toUpperCase().replaceAll("-", "_")}`

/** The flag of a setting. */
export const flagOf = <A>({ flag: { name, short }, reading, fallback, help, guide }: FlaggedSetting<A>): Flag<A> => {
  const shown = reading.placeholder === undefined ? "" : reading.show(fallback)
  return {
    name,
    ...(short !== undefined && { alias: short }),
    env: variableOf(name),
    about: help,
    ...(guide !== undefined && { guide }),
    ...(shown !== "" && { fallback: shown }),
    reading,
  }
}

/**
 * The text of a flag, if it is given. The typed options of @effect/cli (`choice`, `integer`, `boolean`) are not used,
 * because their errors name neither the flag as it was given nor all allowed values. `option` reads the text by the
 * flag's `Reading` instead, within @effect/cli, so that commands get values.
 */
export const words = ({ name, alias, about }: Flag): Options.Options<Option.Option<string>> => {
  const text = Options.text(name).pipe(Options.withDescription(about))
  return Options.optional(alias === undefined ? text : Options.withAlias(text, alias))
}

const readOrRefuse = <A>(source: string, reading: Reading<A>, given: string) =>
  Effect.mapError(reading.read(given), () => {
    const shown = reading.json === undefined ? redactUrl(given) : given
    const hint = isServiceLink(source, given) ? serviceLinkHint : ""
    return ValidationError.invalidValue(HelpDoc.p(`${source} ${refusal(reading, shown, reading.allowed)}${hint}`))
  })

/** The same where `@FILE` may stand for the text of a file: what is in an argument can be seen by others, and by the shell. */
const readText = <A>(source: string, reading: Reading<A>, given: string) =>
  reading.json === undefined || !given.startsWith("@")
    ? readOrRefuse(source, reading, given)
    : Effect.try({
        try: () => readFileSync(given.slice(1), "utf8"),
        catch: (cause) =>
          ValidationError.invalidValue(
            HelpDoc.p(`the file ${JSON.stringify(given.slice(1))} of ${source} cannot be read: ${fileFault(cause)}`),
          ),
      }).pipe(Effect.flatMap((text) => readOrRefuse(source, reading, text)))

/** The text of an environment variable. An empty variable counts as absent. */
export const variable = (name: string): Effect.Effect<Option.Option<string>> =>
  Config.string(name).pipe(Effect.option, Effect.map(Option.filter((found) => found !== "")))

/**
 * The value of a flag, else of its variable. `Options.withFallbackConfig` is not used, because its errors cannot say
 * what `allowed` says.
 */
export const option = <A>(flag: Flag<A>): Options.Options<Option.Option<A>> =>
  Options.mapEffect(words(flag), (given) =>
    Effect.gen(function* () {
      const { env, name, reading } = flag
      if (Option.isSome(given)) return Option.some(yield* readText(`--${name}`, reading, given.value))
      const found = env === undefined ? Option.none() : yield* variable(env)
      return yield* Effect.transposeMapOption(found, (text) => readText(env ?? "", reading, text))
    }),
  )

/** The same, with a value for the case that neither is given. */
export const optionOr = <A>(flag: Flag<A>, fallback: A): Options.Options<A> =>
  Options.map(
    option(flag),
    Option.getOrElse(() => fallback),
  )

/** A switch that is off by default. */
export const isOn = (flag: Flag<boolean>): Options.Options<boolean> => optionOr(flag, false)

export const status: Flag<string> = {
  name: "status",
  reading: Readings.text("STATUS"),
  about: "Any text; active, online and ready forward, any other answers 503.",
}

export const url: Flag<string> = {
  name: "url",
  reading: Readings.text("URL"),
  about: "Where the session's requests go.",
}

export const replace: Flag<boolean> = {
  name: "replace",
  reading: Readings.onOrOff,
  about: "Replaces a session that exists already.",
}

export const json: Flag<boolean> = {
  name: "json",
  reading: Readings.onOrOff,
  about: "Prints one JSON value on standard output, and nothing else there. An error is JSON, too.",
}
