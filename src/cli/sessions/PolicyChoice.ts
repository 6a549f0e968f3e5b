import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import * as ValidationError from "@effect/cli/ValidationError"
import { Effect, Option } from "effect"
import { type Policy, policyRows } from "../../domain/Policies.js"
import { onOrOff } from "../../domain/Reading.js"
import type { SessionPolicy } from "../../domain/SessionPolicy.js"
import { type Flag, option } from "../Flag.js"

/** Policies that have a flag. */
type FlaggedPolicy = Policy<unknown> & { readonly flag: string }

const isFlagged = (row: Policy<unknown>): row is FlaggedPolicy => row.flag !== undefined

const flagged: ReadonlyArray<readonly [name: string, row: FlaggedPolicy]> = Object.entries(policyRows).flatMap(
  ([name, row]) => (isFlagged(row) ? [[name, row] as const] : []),
)

/** The flag of a policy. It has no variable, because the environment is not about one session. */
const flagOf = ({ flag, reading, help }: FlaggedPolicy): Flag => ({ name: flag, reading, about: help })

const oppositeOf = ({ opposite }: Policy<unknown>): ReadonlyArray<Flag<boolean>> =>
  opposite === undefined ? [] : [{ name: opposite.flag, reading: onOrOff, about: opposite.help }]

/** The flags for the policies of a new session. */
export const policyFlags: ReadonlyArray<Flag> = flagged.map(([, row]) => flagOf(row))

/** The flags that change the policies of a session. */
export const policyChangeFlags: ReadonlyArray<Flag> = flagged.flatMap(([, row]) => [flagOf(row), ...oppositeOf(row)])

type Given = Readonly<Record<string, Option.Option<unknown>>>

/** The policies that were given. `Given` is built from the table of policies, so names and values are valid. */
const policyOf = (given: Given): Partial<SessionPolicy> =>
  Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) => (Option.isSome(value) ? [[name, value.value]] : [])),
  )

const given: Options.Options<Given> = Options.all(
  Object.fromEntries(flagged.map(([name, row]) => [name, option(flagOf(row))])),
)

/** The policies that the flags set; others are absent. */
export const policyOptions: Options.Options<Partial<SessionPolicy>> = Options.map(given, policyOf)

/** The flags that turn policies off, with the inverted values. */
const opposites: Options.Options<Given> = Options.all(
  Object.fromEntries(
    Object.entries(policyRows).flatMap(([name, row]) =>
      oppositeOf(row).map((flag) => [
        name,
        Options.map(
          option(flag),
          Option.map((isOff) => !isOff),
        ),
      ]),
    ),
  ),
)

/** The policies that the flags change. */
export const policyChanges: Options.Options<Partial<SessionPolicy>> = Options.mapEffect(
  Options.all([given, opposites]),
  ([given, opposites]) => {
    for (const [name, taken] of Object.entries(opposites)) {
      const row = policyRows[name]
      if (row === undefined || Option.isNone(taken) || Option.isNone(given[name] ?? Option.none())) continue
      const message = `--${row.flag} and --${row.opposite?.flag} contradict each other; give one of them`
      return Effect.fail(ValidationError.invalidValue(HelpDoc.p(message)))
    }
    return Effect.succeed({ ...policyOf(given), ...policyOf(opposites) })
  },
)
