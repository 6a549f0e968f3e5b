// The command line after `npm run bench:compare --`.
import { parseArgs } from "node:util"
import { judgedWorkloads, mainWorkloads } from "./Judged.mjs"

export const usage = `Compares two builds of ss-proxy: what each figure of the later one is of the earlier one's.

usage: npm run bench:compare -- --before REF|DIR [options]

  --before REF|DIR  the earlier build: a commit, which is built in a folder of its own, or a checkout that is built already
  --after REF|DIR   the later one; without it, this checkout as it is
  --before-env X=Y,…  variables of the earlier build, beside those that both have; no value may hold a comma
  --after-env X=Y,…   those of the later one: what a build costs with something that a variable switches on
  --after-flags=F   flags of run, between spaces, that the later one alone is started with
  --pairs N         so many pairs of runs of each kind of work; 10. An interval takes 6 at least
  --seconds S       how long each run is, of four in a pair; 1
  --only X,Y        these kinds of work; of: ${judgedWorkloads.join(", ")};
                    "all" is all of them. Without it: ${mainWorkloads.join(", ")}
  --no-steady       leaves out what is counted and not timed: bytes allocated, and system calls
  --first           goes before everything else on this machine, which starves it meanwhile: for a machine that is busy.
                    Only root may
  --json FILE       writes every pair there
  --help            this text

Ends with 1 where a figure is worse by more than 3 % for certain: its whole interval lies above 1.03.
`

/** A mistake in the command line. */
export class UsageError extends Error {}

/**
 * @param {string} flag
 * @param {string} text
 * @param {number} most
 * @returns {number}
 */
const whole = (flag, text, most) => {
  const value = Number(text)
  if (!(Number.isInteger(value) && value >= 1 && value <= most))
    throw new UsageError(`--${flag} is ${text}; it must be a whole number from 1 to ${most}`)
  return value
}

/**
 * @param {string | undefined} text
 * @returns {string[]}
 */
const chosen = (text) => {
  if (text === undefined) return mainWorkloads
  if (text === "all") return judgedWorkloads
  const names = text.split(",").filter((name) => name !== "")
  const unknown = names.find((name) => !judgedWorkloads.includes(name))
  if (unknown !== undefined)
    throw new UsageError(`--only does not know ${unknown}; it knows ${judgedWorkloads.join(", ")}, and all`)
  return names
}

/**
 * @param {string} flag
 * @param {string | undefined} text
 * @returns {string[]} each as `env` takes it
 */
const variables = (flag, text) => {
  const given = (text ?? "").split(",").filter((one) => one !== "")
  const wrong = given.find((one) => !/^[A-Za-z_][A-Za-z0-9_]*=/.test(one))
  if (wrong !== undefined) throw new UsageError(`--${flag} holds ${wrong}; it must be NAME=VALUE, with commas between`)
  return given
}

/** @param {string[]} words */
const parse = (words) => {
  try {
    return parseArgs({
      args: words,
      options: {
        before: { type: "string" },
        after: { type: "string" },
        "before-env": { type: "string" },
        "after-env": { type: "string" },
        "after-flags": { type: "string", default: "" },
        pairs: { type: "string", default: "10" },
        seconds: { type: "string", default: "1" },
        only: { type: "string" },
        "no-steady": { type: "boolean", default: false },
        first: { type: "boolean", default: false },
        json: { type: "string" },
        help: { type: "boolean", default: false },
      },
    }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

/**
 * The options of a command line; throws UsageError.
 *
 * @param {string[]} words
 */
export const parseOptions = (words) => {
  const { before, after, pairs, seconds, only, first, json, help, "no-steady": noSteady, ...more } = parse(words)
  if (before === undefined && !help) throw new UsageError("--before is missing: a commit, or a checkout that is built")
  return {
    help,
    before,
    after,
    variables: {
      before: variables("before-env", more["before-env"]),
      after: variables("after-env", more["after-env"]),
    },
    afterFlags: more["after-flags"].split(" ").filter((word) => word !== ""),
    pairs: whole("pairs", pairs, 1000),
    seconds: whole("seconds", seconds, 60),
    workloads: chosen(only),
    isSteady: !noSteady,
    isFirst: first,
    json,
  }
}
