// The command line after `npm run bench --`.
import { parseArgs } from "node:util"
import { peerNames } from "./peers/Peers.mjs"
import { workloads } from "./workloads/Workloads.mjs"

export const usage = `Compares ss-proxy with other proxies on this machine.

usage: npm run bench -- [options]

  --quick               the main figures, roughly, in less than a minute; without it, everything takes half an hour
  --only A,B            these proxies; of: ${peerNames.join(", ")}
  --workload X,Y        these kinds of work; of: ${workloads.map(({ name }) => name).join(", ")}
  --beside NAME=BINARY  one more program with ss-proxy's flags (--host --port --db-path --timeout --log-level) and table
  --spread              every process on every core; without it, the proxies share one and leave the rest to the load
  --rounds N            rounds that are measured; 5, or 2 with --quick
  --seconds S           length of a round; 2, or 1 with --quick
  --json FILE           where the figures go; scripts/bench/out/bench.json
  --svg FILE            where the chart goes; scripts/bench/out/bench.svg
  --help                this text
`

/** A mistake in the command line. */
export class UsageError extends Error {}

/**
 * @param {string} flag
 * @param {string | undefined} text
 * @param {readonly string[]} known
 * @returns {string[] | undefined}
 */
const names = (flag, text, known) => {
  const given = text?.split(",").filter((name) => name !== "")
  const unknown = given?.find((name) => !known.includes(name))
  if (unknown !== undefined) throw new UsageError(`--${flag} does not know ${unknown}; it knows ${known.join(", ")}`)
  return given
}

/**
 * @param {string} flag
 * @param {string | undefined} text
 * @returns {number | undefined}
 */
const positive = (flag, text) => {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!(value >= 1 && value <= 600)) throw new UsageError(`--${flag} is ${text}; it must be a number from 1 to 600`)
  return Math.round(value)
}

/**
 * @param {string} text
 * @returns {{ name: string, binary: string }}
 */
const beside = (text) => {
  const [, name, binary] = /^([\w.-]+)=(.+)$/.exec(text) ?? []
  if (name === undefined || binary === undefined)
    throw new UsageError(`--beside is ${text}; it must be NAME=BINARY, as in rust=/usr/local/bin/ss-proxy`)
  if (peerNames.includes(name)) throw new UsageError(`--beside cannot be called ${name}: there is one of that name`)
  return { name, binary }
}

/** @param {string[]} words */
const parse = (words) => {
  try {
    return parseArgs({
      args: words,
      options: {
        quick: { type: "boolean", default: false },
        only: { type: "string" },
        workload: { type: "string" },
        beside: { type: "string", multiple: true, default: [] },
        spread: { type: "boolean", default: false },
        rounds: { type: "string" },
        seconds: { type: "string" },
        json: { type: "string" },
        svg: { type: "string" },
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
  const values = parse(words)
  return {
    help: values.help,
    isQuick: values.quick,
    only: names("only", values.only, peerNames),
    workloads: names(
      "workload",
      values.workload,
      workloads.map(({ name }) => name),
    ),
    beside: values.beside.map(beside),
    isSpread: values.spread,
    rounds: positive("rounds", values.rounds) ?? (values.quick ? 2 : 5),
    seconds: positive("seconds", values.seconds) ?? (values.quick ? 1 : 2),
    json: values.json,
    svg: values.svg,
  }
}
